"""The file that an import reads."""

from pathlib import Path

import pytest


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"
