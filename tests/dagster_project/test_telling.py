"""Who is told of what by Dagster itself: sensors evaluated with real contexts over several ticks."""

from collections.abc import Callable, Iterator

import dagster as dg
import duckdb
import pytest

from dagster_project.defs.published import WAREHOUSE
from dagster_project.lib.reported_days import USAGE
from tracking.home import Home


@pytest.fixture(scope="module")
def home(make_home: Callable[[str, int], Home]) -> Home:
    """A ledger whose published reports hold one budget that is over its limit."""
    home = make_home("telling", 0)
    with duckdb.connect(home.warehouse_database) as connection:
        connection.execute(
            "create table budget_status as select 'history' as budget_name, 'month' as period, "
            "date '2026-11-01' as period_start, date '2026-11-30' as period_end, date '2026-11-20' as status_date, "
            "'over' as status, 80 as warn_percent, 100::decimal(38,12) as limit_usd, 120::decimal(38,12) as spent_usd, "
            "null::date as forecast_crossing_on"
        )
    return home


@pytest.fixture(scope="module")
def loaded(home: Home, definitions_on: Callable[[Home], dg.Definitions]) -> dg.Definitions:
    return definitions_on(home)


@pytest.fixture
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("instance"))) as instance:
        yield instance


def publish_event(instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(WAREHOUSE))


def requests(loaded: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None) -> tuple[int, str | None]:
    """How many runs the sensor asks for in one tick, and its next cursor."""
    sensor = loaded.resolve_sensor_def("new_breaches")
    context = dg.build_sensor_context(
        instance, cursor=cursor, definitions=loaded, sensor_name="new_breaches", resources=loaded.resources
    )
    tick = sensor.evaluate_tick(context)
    return len(tick.run_requests or ()), tick.cursor


def test_a_publication_with_a_breach_asks_once_for_telling_it(
    home: Home, loaded: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    (home.root / "alerts.toml").write_text('[[notify]]\nto = "log"\n')
    assert requests(loaded, instance, None)[0] == 0, "nothing was published"
    publish_event(instance)
    asked, cursor = requests(loaded, instance, None)
    assert asked == 1
    assert requests(loaded, instance, cursor)[0] == 0
    job = loaded.resolve_job_def("send_alerts")
    assert job.execute_in_process(instance=instance).success
    publish_event(instance)
    assert requests(loaded, instance, cursor)[0] == 0, "everybody was told"


def test_opening_dagster_starts_nothing(loaded: dg.Definitions, instance: dg.DagsterInstance) -> None:
    assert dg.evaluate_automation_conditions(loaded, instance).total_requested == 0
    instance.report_runless_asset_event(dg.AssetMaterialization(USAGE, partition="2026-11-02"))
    assert dg.evaluate_automation_conditions(loaded, instance).total_requested == 0


def test_an_alert_that_cannot_be_sent_fails_its_own_run_with_the_reason(
    home: Home, loaded: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    (home.root / "alerts.toml").write_text('[[notify]]\nto = "slack"\nurl_env = "NO_SUCH_VARIABLE"\n')
    publish_event(instance)
    assert requests(loaded, instance, None)[0] == 1, "a person has to see it"
    result = loaded.resolve_job_def("send_alerts").execute_in_process(instance=instance, raise_on_error=False)
    failure = result.failure_data_for_node("tell_of_breaches")
    assert "NO_SUCH_VARIABLE" in failure.user_failure_data.description
    assert "what_to_do" in failure.user_failure_data.metadata


def test_a_failed_run_is_told_once_a_day(
    home: Home, loaded: dg.Definitions, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    (home.root / "alerts.toml").write_text('[[notify]]\nto = "log"\nname = "failures"\n')
    (home.root / "prices.toml").write_text("[[price]]\nprovider = 7\n")
    job = loaded.resolve_job_def("update_prices")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    (home.root / "prices.toml").unlink()
    assert not result.success
    sensor = loaded.resolve_sensor_def("failed_runs")
    context = dg.build_run_status_sensor_context(
        "failed_runs", result.get_run_failure_event(), instance, result.dagster_run, resources=loaded.resources
    ).for_run_failure()
    sensor(context)
    sensor(context)
    told = [record.getMessage() for record in caplog.records if record.name == "llm_cost.alerts"]
    assert told == [f"update_prices failed; the published reports are what they were (run {result.run_id})"]


def test_maintenance_jobs_run_and_say_what_they_did(
    make_home: Callable[[str, int], Home], definitions_on: Callable[[Home], dg.Definitions]
) -> None:
    home = make_home("maintenance", 9)
    loaded = definitions_on(home)
    prices = loaded.resolve_job_def("update_prices").execute_in_process()
    assert metadata(prices, "price_again")["still_unpriced"].value == 1
    assert metadata(prices, "price_again")["rows"].value == 0
    assert loaded.resolve_job_def("compact").execute_in_process().success
    assert loaded.resolve_job_def("retain").execute_in_process().success, "nothing says how long to keep: nothing goes"

    verify = loaded.resolve_job_def("verify")
    [whole] = verify.execute_in_process().get_asset_check_evaluations()
    assert whole.passed
    segment = next(home.usage.rglob("*.parquet"))
    segment.write_bytes(segment.read_bytes() + b"!")
    [damaged] = verify.execute_in_process(raise_on_error=False).get_asset_check_evaluations()
    assert not damaged.passed
    assert segment.name in (damaged.description or "")


def metadata(result: dg.ExecuteInProcessResult, node: str) -> dict[str, dg.MetadataValue]:
    [event] = [event for event in result.events_for_node(node) if event.is_successful_output]
    return dict(event.step_output_data.metadata)
