"""Only what passed every test is published, whoever asks. None of these tests runs dbt: `test_building` does."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from ledgers import say_dbt_ran

from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.building.dbt import BuildError
from warehouse.building.publish import publish
from warehouse.building.tested import noting_tests

TESTS = ("test.llm_costs.unique_cost_per_day", "test.llm_costs.sums_to_ledger_cost_per_day")
MODEL = "model.llm_costs.cost_per_day"


@pytest.fixture
def built(home: Path) -> Home:
    """As a dbt run leaves a home, with every test passed, and published."""
    built = Home(home)
    built.open()
    with duckdb.connect(built.build_database) as connection:
        connection.execute("create schema ledger; create table cost_per_day as select 1 as requests")
    say_dbt_ran(built, dict.fromkeys((MODEL, *TESTS), "pass"))
    publish(built)
    return built


def run_that_failed(home: Home) -> None:
    with pytest.raises(BuildError, match="a test failed"), noting_tests(home):
        raise BuildError("a test failed")


def write_to_what_is_built(home: Home) -> None:
    with duckdb.connect(home.build_database) as connection:
        connection.execute("update cost_per_day set requests = 2")


def write_without_a_checkpoint(home: Home) -> None:
    """As a process that was killed leaves it: what it wrote is in DuckDB's write-ahead log alone."""
    connection = duckdb.connect(home.build_database)
    connection.execute("update cost_per_day set requests = 2")
    log = home.build_database.with_name("build.duckdb.wal")
    written, database = log.read_bytes(), home.build_database.read_bytes()
    connection.close()
    home.build_database.write_bytes(database)
    log.write_bytes(written)


UNTESTED: dict[str, tuple[Callable[[Home], object], str]] = {
    "no run is known": (lambda home: (home.dbt / "tested.json").unlink(), "no test is known to have passed"),
    "an unreadable note": (lambda home: (home.dbt / "tested.json").write_bytes(b"{"), "no test is known"),
    "a run without tests": (
        lambda home: say_dbt_ran(home, {MODEL: "success"}, not_run=TESTS),
        "2 tests did not run or did not pass",
    ),
    "a run of some tests": (
        lambda home: say_dbt_ran(home, {MODEL: "success", TESTS[1]: "pass"}, not_run=TESTS[:1]),
        f"1 tests did not run or did not pass, such as {TESTS[0]}",
    ),
    "a skipped test": (
        lambda home: say_dbt_ran(home, {MODEL: "success", TESTS[0]: "skipped", TESTS[1]: "pass"}),
        f"such as {TESTS[0]}",
    ),
    "a failed test": (run_that_failed, "no test is known to have passed"),
    "prepared anew": (prepare, "build.duckdb was written to since its tests passed"),
    "written to by another program": (write_to_what_is_built, "build.duckdb was written to"),
    "written to by one that was killed": (write_without_a_checkpoint, "build.duckdb was written to"),
}


@pytest.mark.parametrize("case", UNTESTED)
def test_what_did_not_pass_every_test_as_it_is_now_is_not_published(built: Home, case: str) -> None:
    before = hashlib.sha256(built.warehouse_database.read_bytes()).hexdigest()
    change, reason = UNTESTED[case]
    change(built)
    with pytest.raises(BuildError, match=rf"^not published: .*{reason}.*; run `llm-cost build`$"):
        publish(built)
    assert hashlib.sha256(built.warehouse_database.read_bytes()).hexdigest() == before


def test_other_models_or_tests_than_those_that_ran_are_not_taken_for_them(
    built: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.building.tested.project_hash", lambda: "another version")
    with pytest.raises(BuildError, match="the models or their tests have changed since they were run"):
        publish(built)


def test_a_test_that_only_warns_stops_nothing(built: Home) -> None:
    say_dbt_ran(built, {MODEL: "success", TESTS[0]: "warn", TESTS[1]: "pass"})
    publish(built)


def test_what_passed_can_be_published_again(built: Home) -> None:
    before = built.warehouse_database.stat().st_ino
    publish(built)
    assert built.warehouse_database.stat().st_ino != before
