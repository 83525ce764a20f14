"""One server and one tracker for the tests of a watched client."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from provider_server import ProviderServer, provider_server

from tracking import CostTracker


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with provider_server() as server:
        yield server


@pytest.fixture
def provider(server: ProviderServer) -> ProviderServer:
    """The server of the module, which has forgotten what it was told and asked before."""
    server.answers.clear()
    server.asked.clear()
    return server


@pytest.fixture
def rows(home: Path, tracker: CostTracker, journal_records: Callable[[Path], list[Any]]) -> Callable[[], list[Any]]:
    """What the tracker has recorded so far."""
    return lambda: journal_records(home)
