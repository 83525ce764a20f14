"""The ledger by day in Dagster: which days it hears of, what asks for a refresh, and how days are built anew."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import duckdb
import pytest

from dagster_project.defs.sensors import late_days
from dagster_project.lib.dagster_home import instance_of, prepare_dagster_home
from dagster_project.lib.partitions import USAGE
from dagster_project.lib.reported_days import report_changed_days
from dagster_project.lib.resources import LedgerHome
from tracking import CostTracker
from tracking.home import Home
from warehouse.ledger.days import sealed_days
from warehouse.ledger.manifest import Manifest
from warehouse.published.read import open_warehouse

DAYS = [f"2026-11-{day:02}" for day in range(2, 7)]
RANGE = {"dagster/asset_partition_range_start": DAYS[1], "dagster/asset_partition_range_end": DAYS[3]}


@dataclass(frozen=True)
class Control:
    """A ledger of five days, refreshed once, with what Dagster remembers of it."""

    home: Home
    defs: dg.Definitions
    instance: dg.DagsterInstance

    def run(self, job: str, tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
        resolved = self.defs.resolve_job_def(job)
        return resolved.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)

    def events(self) -> list[dg.AssetMaterialization]:
        """What was reported of days, the latest first."""
        records = self.instance.fetch_materializations(USAGE, limit=1000).records
        return [record.asset_materialization for record in records if record.asset_materialization]

    def tick(self, cursor: str | None = None) -> tuple[list[dg.RunRequest], str | None]:
        """What the sensor asks for, and its next cursor."""
        context = dg.build_sensor_context(self.instance, cursor=cursor, definitions=self.defs)
        resources = LedgerHome(root=str(self.home.root))
        result = late_days(context, ledger_home=resources)
        if isinstance(result, dg.SkipReason):
            return [], cursor
        assert isinstance(result, dg.SensorResult)
        return list(result.run_requests or ()), result.cursor

    def published(self) -> list[tuple[object, ...]]:
        with open_warehouse(self.home) as connection:
            return connection.execute("select * from cost_per_user_day order by all").fetchall()


@pytest.fixture(scope="module")
def control(
    make_home: Callable[[str, int], Home],
    definitions_on: Callable[[Home], dg.Definitions],
) -> Iterator[Control]:
    home = make_home("days", 15)
    prepare_dagster_home(home)
    with instance_of(home) as instance:
        control = Control(home, definitions_on(home), instance)
        assert control.run("refresh").success
        yield control


def record_late_call(home: Home) -> None:
    """One more call of the second day."""
    with CostTracker(home=home.root) as tracker:
        tracker.record(
            llm_response={"model": "gpt-5-mini", "usage": {"prompt_tokens": 9, "completion_tokens": 3}},
            trackable=("Assignment", 1),
            user=1,
            request_type="generate_rubric",
            prompt="hello",
            provider="openai",
            occurred_at=datetime(2026, 11, 3, 12, 5, tzinfo=UTC),
        )


def test_a_refresh_reports_each_day_with_its_rows_and_cost(control: Control) -> None:
    events = {event.partition: event for event in control.events()}
    assert sorted(events) == DAYS
    with Manifest(control.home) as manifest:
        costs = {f"{segment.usage_date}": f"{segment.cost_usd:f}" for segment in manifest.segments()}
    assert {day: event.metadata["cost_usd"].value for day, event in events.items()} == costs
    assert {event.metadata["dagster/row_count"].value for event in events.values()} == {3}


def test_nothing_follows_a_refresh(control: Control) -> None:
    assert control.tick() == ([], None)
    assert dg.evaluate_automation_conditions(control.defs, control.instance).total_requested == 0


def test_reports_follow_days_that_were_materialized_by_hand(control: Control) -> None:
    before = dg.evaluate_automation_conditions(control.defs, control.instance)
    selection = [USAGE]
    job = control.defs.resolve_job_def("rebuild_days")
    assert job.execute_in_process(instance=control.instance, asset_selection=selection, tags=RANGE).success
    after = dg.evaluate_automation_conditions(control.defs, control.instance, cursor=before.cursor)
    requested = {result.key.to_user_string() for result in after.results if not result.true_subset.is_empty}
    assert {"stg_usage", "int_cost_daily", "cost_per_user", "published_warehouse"} <= requested
    assert not {key for key in requested if key.startswith("ledger/")}


def test_a_range_of_days_is_built_anew_from_the_ledger_in_one_run(control: Control) -> None:
    before = control.published()
    assert before
    with duckdb.connect(control.home.build_database) as connection:
        connection.execute("update int_cost_daily set requests = requests + 1 where usage_date between $1 and $2", [
            DAYS[1], DAYS[3]
        ])  # fmt: skip
    result = control.run("rebuild_days", RANGE)
    assert result.success
    rebuilt = [event for event in result.get_asset_materialization_events() if event.asset_key == USAGE]
    assert sorted({event.partition for event in rebuilt} - {None}) == DAYS[1:4]
    assert control.published() == before


def test_a_late_call_asks_for_one_refresh_which_reports_its_day_alone(control: Control) -> None:
    # The rebuilt days are known again, as sealing says them.
    report_changed_days(control.instance, sealed_days(control.home), control.instance.report_runless_asset_event)
    known = len(control.events())
    automation = dg.evaluate_automation_conditions(control.defs, control.instance)
    record_late_call(control.home)
    [request], cursor = control.tick()
    assert control.tick(cursor) == ([], cursor), "the same state asks once"
    other_cursor = control.tick()
    assert other_cursor == ([request], cursor), "and is the same state to whoever lost the cursor"
    result = control.run("refresh", dict(request.tags))
    assert result.success
    after = dg.evaluate_automation_conditions(control.defs, control.instance, cursor=automation.cursor)
    assert after.total_requested == 0, "the refresh has built what follows"
    reported = control.events()[: len(control.events()) - known]
    assert [(event.partition, event.metadata["dagster/row_count"].value) for event in reported] == [(DAYS[1], 4)]
    assert control.tick(cursor) == ([], cursor)


def test_a_day_with_a_changed_byte_is_not_rebuilt_and_its_file_is_named(control: Control) -> None:
    with Manifest(control.home) as manifest:
        segment = next(segment for segment in manifest.segments() if f"{segment.usage_date}" == DAYS[2])
    file = control.home.usage / segment.file
    whole = file.read_bytes()
    # In what the footer says of the journal: what nobody can read any more stops the run before.
    place = whole.rindex(segment.journal.encode())
    file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    try:
        result = control.run("rebuild_days", RANGE)
    finally:
        file.write_bytes(whole)
    assert not result.success
    errors = [str(event.step_failure_data.error) for event in result.all_node_events if event.is_step_failure]
    assert any(segment.file in error for error in errors), errors
    with duckdb.connect(control.home.build_database, read_only=True) as connection:
        assert connection.execute("select count(distinct usage_date) from int_cost_daily").fetchall() == [(5,)]
