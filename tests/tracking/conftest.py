"""Fixtures of the tracking tests."""

from pathlib import Path

import pytest


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where journals are written, without a home around it."""
    directory = tmp_path / "journal"
    directory.mkdir()
    return directory
