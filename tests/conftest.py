"""Fixtures every test folder shares: a hermetic environment, a ledger home, its journal, the real answers."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dbt_server
import pytest
from hypothesis import HealthCheck, settings

import tracking
from tracking import CostTracker, LLMUsageRecord
from tracking.journal.writer import decode_line
from warehouse.building.dbt import dbt_command as DBT_COMMAND

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Read here: a test itself sees no LLM_COST_ variable of the developer's.
ARTIFACTS = os.environ.get("LLM_COST_ARTIFACTS")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# How long an example takes is the machine's to say.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """One server of dbt for the session, whichever of its workers asks."""
    if not hasattr(config, "workerinput"):
        stack = ExitStack()
        os.environ[dbt_server.ADDRESS] = stack.enter_context(dbt_server.listening())
        config.add_cleanup(stack.close)


@pytest.fixture(scope="session", autouse=True)
def _dbt_server() -> Iterator[None]:
    """Builds run dbt as forks of one process that has imported it and read the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warehouse.building.dbt.dbt_command", dbt_server.command)
        yield


@pytest.fixture
def dbt_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user's build runs it: imported, and the project parsed, anew."""
    monkeypatch.setattr("warehouse.building.dbt.dbt_command", DBT_COMMAND)


@pytest.fixture(autouse=True)
def _hermetic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of the developer's own, and no default tracker of another test."""
    for name in [name for name in os.environ if name.upper().startswith("LLM_COST_") and "TEST_DATA" not in name]:
        monkeypatch.delenv(name)
    tracking.default_tracker.cache_clear()
    yield
    tracking.default_tracker.cache_clear()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a ledger may be made; nothing is there yet."""
    return tmp_path / "home"


@pytest.fixture
def tracker(home: Path) -> Iterator[CostTracker]:
    with CostTracker(home) as tracker:
        yield tracker


@pytest.fixture
def journal_records() -> Callable[[Path], list[dict[str, Any]]]:
    """Reads every record of every journal of a home; a line that is not whole fails the test.

    What a line leaves out is NULL.
    """

    def read(home: Path) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        for journal in sorted((home / "journal").iterdir()):
            for line in journal.read_bytes().splitlines(keepends=True):
                content = decode_line(line[:-1]) if line.endswith(b"\n") else None
                assert content is not None, f"{journal.name} holds a broken line: {line[:80]!r}"
                records.append(dict.fromkeys((*LLMUsageRecord.model_fields, "prompt")) | json.loads(content))
        return records

    return read


@pytest.fixture(scope="session")
def real_responses() -> list[dict[str, Any]]:
    """Usage bodies as providers really sent them, one `{"provider", "response"}` each; see LLM_COST_TEST_DATA."""
    folder = os.environ.get("LLM_COST_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LLM_COST_TEST_DATA names no folder of real responses")
    lines = (Path(folder) / "real_responses.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Where screenshots go: LLM_COST_ARTIFACTS, to be looked at, else away with the test."""
    directory = Path(ARTIFACTS or tmp_path / "screenshots")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture
def browser() -> "Iterator[Browser]":
    """Debian's Chromium, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
