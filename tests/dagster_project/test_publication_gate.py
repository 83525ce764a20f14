"""Whoever asks Dagster for the publication gets what passed every test, or none. `test_processes` asks its daemon."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import dagster as dg
import pytest

from dagster_project.lib.translator import FOLLOWS_THE_LEDGER
from tracking.home import Home
from warehouse.sealing.seal import seal

WAREHOUSE = dg.AssetKey("published_warehouse")
SPOILT = "assert_every_day_equals_its_segments"
"""The test that fails then."""

Definitions = Callable[[Home], dg.Definitions]


@dataclass(frozen=True)
class Failed:
    """A refresh that failed in one test, of a home that was never published, under a Dagster that thinks it was."""

    home: Home
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    before: dg.EvaluateAutomationConditionsResult
    result: dg.ExecuteInProcessResult

    def run(self, selection: dg.AssetSelection) -> dg.ExecuteInProcessResult:
        """Of these assets and checks, and of no other check."""
        job = dg.define_asset_job("some", selection=selection)
        resolved = job.resolve(asset_graph=self.definitions.resolve_asset_graph())
        return resolved.execute_in_process(instance=self.instance, raise_on_error=False)


@pytest.fixture(scope="module")
def failed(make_home: Callable[[str, int], Home], definitions_on: Definitions) -> Iterator[Failed]:
    home = make_home("gated", 12)
    seal(home)
    spoil_a_day(home)
    definitions = definitions_on(home)
    with dg.DagsterInstance.ephemeral() as instance:
        for key in definitions.resolve_asset_graph().materializable_asset_keys:
            instance.report_runless_asset_event(dg.AssetMaterialization(key))
        before = dg.evaluate_automation_conditions(definitions, instance)
        job = definitions.resolve_job_def("refresh")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        yield Failed(home, definitions, instance, before, result)


def spoil_a_day(home: Home) -> None:
    """Let the manifest claim more rows than there are: a test of dbt fails, no sum of money does."""
    with closing(sqlite3.connect(home.manifest)) as connection, connection:
        connection.execute("update segments set row_count = row_count + 1")


def mend_the_day(home: Home) -> None:
    with closing(sqlite3.connect(home.manifest)) as connection, connection:
        connection.execute("update segments set row_count = row_count - 1")


def message(result: dg.ExecuteInProcessResult) -> str:
    return result.failure_data_for_node("published_warehouse").error.message


def test_a_refresh_that_failed_in_a_test_is_not_published_afterwards(failed: Failed) -> None:
    checks = {check.check_name for check in failed.result.get_asset_check_evaluations() if not check.passed}
    assert not failed.result.success
    assert SPOILT in checks
    made = {event.asset_key for event in failed.result.get_asset_materialization_events()}
    assert dg.AssetKey("int_cost_daily") in made, "Dagster takes what was tested for made"
    asked = dg.evaluate_automation_conditions(failed.definitions, failed.instance, cursor=failed.before.cursor)
    assert asked.total_requested == 0
    assert not failed.home.warehouse_database.exists()


def test_the_publication_alone_is_tested_before(failed: Failed) -> None:
    alone = failed.run(dg.AssetSelection.assets(WAREHOUSE).without_checks())
    assert not alone.success
    assert SPOILT in message(alone)
    assert not failed.home.warehouse_database.exists()


@pytest.mark.slow
def test_a_run_without_checks_publishes_what_passes_them_and_nothing_else(failed: Failed) -> None:
    everything = dg.AssetSelection.assets(WAREHOUSE).upstream() - dg.AssetSelection.groups("ledger", "inputs")
    untested = failed.run(everything.without_checks())
    assert not untested.success
    assert untested.get_asset_check_evaluations() == []
    assert SPOILT in message(untested)
    assert not failed.home.warehouse_database.exists()

    mend_the_day(failed.home)
    assert failed.run(everything.without_checks()).success
    assert failed.home.warehouse_database.exists()


def test_what_follows_the_ledger_brings_its_tests_along(failed: Failed) -> None:
    """A check that its asset's step makes itself would be the whole selection of checks of a run it is asked for in."""
    graph = failed.definitions.resolve_asset_graph()
    following = [graph.get(key) for key in graph.materializable_asset_keys if graph.get(key).automation_condition]
    assert WAREHOUSE in {node.key for node in following}
    assert all(node.automation_condition == FOLLOWS_THE_LEDGER for node in following)
    assert [node.key for node in following if node.execution_set_entity_keys != {node.key}] == []
