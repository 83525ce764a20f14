"""Small ledgers made with the real tracker, and Dagster's definitions on them."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import dbt_server
import pytest

from dagster_project.definitions import definitions
from dagster_project.lib.dbt_manifest import prepared_manifest
from tracking import CostTracker
from tracking.home import Home

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

MakeHome = Callable[[str, int], Home]


def record_calls(home: Home, calls: int) -> None:
    """One call a day and user, three users, every seventh call of a model that nobody knows the price of."""
    tracker = CostTracker(home=home.root, on_unknown_model="record")
    for number in range(calls):
        tracker.record(
            llm_response={
                "model": "no-such-model" if number % 7 == 6 else "gpt-5-mini",
                "id": f"response-{number}",
                "usage": {"prompt_tokens": 12 + number, "completion_tokens": 3},
            },
            trackable=("Assignment", number % 2),
            user=number % 3,
            request_type="generate_rubric",
            prompt="hello",
            provider="openai",
            occurred_at=NOON + timedelta(days=number // 3),
        )
    tracker.close()


@pytest.fixture(scope="session", autouse=True)
def _dbt_server_of_runs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dagster_project.defs.models.dbt_command", dbt_server.command)
        yield


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An empty home whose manifest is prepared; the others take it from here instead of parsing again."""
    home = Home(tmp_path_factory.mktemp("prepared"))
    home.open()
    prepared_manifest(home)
    return home


@pytest.fixture(scope="session")
def make_home(tmp_path_factory: pytest.TempPathFactory, prepared: Home) -> MakeHome:
    def make(name: str, calls: int) -> Home:
        home = Home(tmp_path_factory.mktemp(name))
        home.open()
        shutil.copytree(
            prepared.dbt,
            home.dbt,
            ignore=lambda _, names: [n for n in names if "manifest" not in n],
            dirs_exist_ok=True,
        )
        record_calls(home, calls)
        return home

    return make


@pytest.fixture(scope="session")
def definitions_on() -> Callable[[Home], dg.Definitions]:
    def load(home: Home) -> dg.Definitions:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LLM_COST_HOME", str(home.root))
            return definitions()

    return load


@pytest.fixture(scope="session")
def refresh(definitions_on: Callable[[Home], dg.Definitions]) -> Callable[[Home], dg.ExecuteInProcessResult]:
    """Run the job `refresh` in this process."""

    def run(home: Home) -> dg.ExecuteInProcessResult:
        return definitions_on(home).resolve_job_def("refresh").execute_in_process(raise_on_error=False)

    return run


@pytest.fixture
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory; nothing may be written there."""
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    monkeypatch.chdir(directory)
    yield directory
    assert list(directory.iterdir()) == []
