import json
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

import dagster_project.lib.dbt_manifest
import warehouse.building.dbt
from dagster_project.lib.dagster_home import instance_of, prepare_dagster_home
from dagster_project.lib.dbt_manifest import prepared_manifest
from tracking.book_settings import BookSettings
from tracking.home import Home
from warehouse.building.dbt import PROJECT, BuildError, dbt_arguments

MODELS = {file.stem for file in (PROJECT / "models").rglob("*.sql")}


@pytest.fixture(scope="module")
def loaded(prepared: Home, definitions_on: Callable[[Home], dg.Definitions]) -> dg.Definitions:
    return definitions_on(prepared)


@pytest.fixture(scope="module")
def specs(loaded: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in loaded.resolve_all_asset_specs()}


def test_definitions_load_and_are_valid(loaded: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(loaded)


def test_every_model_is_an_asset_in_the_group_of_its_folder(specs: dict[str, dg.AssetSpec]) -> None:
    folders = {file.stem: file.parent.relative_to(PROJECT / "models") for file in (PROJECT / "models").rglob("*.sql")}
    assert {name: spec.group_name for name, spec in specs.items() if name in MODELS} == {
        name: "_".join(folder.parts) for name, folder in folders.items()
    }
    assert specs["ledger/usage"].group_name == specs["ledger/segments"].group_name == "ledger"
    assert specs["ledger/models"].group_name == specs["ledger/users"].group_name == "inputs"
    assert specs["published_warehouse"].group_name == "published"


def test_every_asset_is_described_and_owned(specs: dict[str, dg.AssetSpec]) -> None:
    assert [name for name, spec in specs.items() if not spec.description or not spec.owners or not spec.kinds] == []


def test_every_report_shows_its_columns(specs: dict[str, dg.AssetSpec]) -> None:
    schemas = {name: spec.metadata.get("dagster/column_schema") for name, spec in specs.items() if name in MODELS}
    assert [name for name, schema in schemas.items() if not schema or not schema.columns] == []
    assert "cut" in specs["cost_per_user"].tags
    assert "cut" not in specs["stg_usage"].tags


def test_models_hang_from_the_asset_that_seals(loaded: dg.Definitions, specs: dict[str, dg.AssetSpec]) -> None:
    def upstream(name: str) -> set[str]:
        return {dep.asset_key.to_user_string() for dep in specs[name].deps}

    sealing = loaded.get_assets_def(dg.AssetKey(["ledger", "segments"]))
    assert sealing.node_def.name == "sealed_ledger"
    assert upstream("ledger/usage") == {"ledger/segments"}
    assert upstream("stg_usage") == {"ledger/usage"}
    assert upstream("int_cost_daily") == {"ledger/segments", "stg_usage"}
    assert upstream("published_warehouse") == MODELS


def test_every_dbt_test_of_a_model_or_source_is_a_blocking_check(prepared: Home, loaded: dg.Definitions) -> None:
    checks = loaded.resolve_asset_graph().asset_check_keys
    tests = [node for node in prepared_manifest(prepared)["nodes"].values() if node["resource_type"] == "test"]
    attached = {
        node["name"]
        for node in tests
        if node.get("attached_node") or len(node["depends_on"]["nodes"]) == 1 or "dagster" in node["config"]["meta"]
    }
    assert attached
    ours = {check.name for check in checks} - attached
    assert attached <= {check.name for check in checks}
    assert ours == {
        "segment_files_are_whole",
        "everything_recorded_is_sealed",
        "nothing_is_quarantined",
        "ledger_verifies",
        "reports_sum_to_ledger",
        "unchanged_days_read_as_before",
        "every_sealed_day_is_published",
        "calls_are_priced",
        "money_rests_on_known_rates",
        "no_call_is_refused",
        "budgets_are_kept",
        "no_cost_is_unusual",
        "invoices_agree",
    }
    warnings = {node["name"] for node in tests if node["config"]["severity"].lower() == "warn"}
    assert warnings == {"assert_no_call_is_of_the_future"}
    specs = list(loaded.get_assets_def("cost_per_day").check_specs)
    assert {spec.name for spec in specs if not spec.blocking} == warnings


def test_all_that_opens_the_build_file_shares_one_pool(loaded: dg.Definitions) -> None:
    for name in ("cost_per_day", "published_warehouse", "ledger/usage"):
        assert loaded.get_assets_def(dg.AssetKey(name.split("/"))).op.pool == "build_database"


def test_a_run_stays_in_one_process(loaded: dg.Definitions) -> None:
    assert loaded.executor == dg.in_process_executor


def test_the_schedule_runs_refresh_at_every_full_hour(loaded: dg.Definitions) -> None:
    schedule = loaded.resolve_schedule_def("hourly_refresh")
    assert schedule.cron_schedule == "0 * * * *"
    assert schedule.job_name == "refresh"
    with dg.DagsterInstance.ephemeral() as instance:
        tick = schedule.evaluate_tick(dg.build_schedule_context(instance))
    assert tick.run_requests is not None
    assert len(tick.run_requests) == 1


def test_refresh_asks_for_no_day_and_a_range_of_days_is_one_run(loaded: dg.Definitions) -> None:
    assert loaded.resolve_job_def("refresh").partitions_def is None
    rebuild = loaded.resolve_job_def("rebuild_days")
    assert isinstance(rebuild.partitions_def, dg.DailyPartitionsDefinition)
    assert rebuild.backfill_policy == dg.BackfillPolicy.single_run()


def test_what_cannot_be_undone_is_off_until_it_is_switched_on(loaded: dg.Definitions) -> None:
    schedules = {schedule.name: schedule.default_status.value for schedule in loaded.schedules or ()}
    assert schedules == {
        "hourly_refresh": "RUNNING",
        "nightly_compact": "RUNNING",
        "weekly_verify": "RUNNING",
        "daily_price_update": "RUNNING",
        "nightly_retain": "STOPPED",
    }
    sensors = {sensor.name: sensor.default_status.value for sensor in loaded.sensors or ()}
    assert sensors == {
        "late_days": "STOPPED",
        "reports_follow_the_ledger": "RUNNING",
        "new_breaches": "RUNNING",
        "failed_runs": "RUNNING",
    }


def test_arguments_of_dbt_name_the_reporting_timezone() -> None:
    arguments = dbt_arguments(BookSettings(reporting_timezone="Europe/Berlin"))
    assert arguments[0] == "build"
    assert json.loads(arguments[arguments.index("--vars") + 1]) == {"reporting_timezone": "Europe/Berlin"}
    assert "--full-refresh" not in arguments
    assert "--full-refresh" in dbt_arguments(BookSettings(), full_refresh=True)


def test_a_prepared_manifest_is_read_and_not_parsed(prepared: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise AssertionError("dbt was started")

    monkeypatch.setattr(subprocess, "run", run)
    assert prepared_manifest(prepared)["metadata"]["project_name"] == "llm_costs"


def test_a_changed_project_is_parsed_once_however_many_ask(
    make_home: Callable[[str, int], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home("changed", 0)
    parsed: list[Path] = []
    parse = dagster_project.lib.dbt_manifest._parse
    monkeypatch.setattr(dagster_project.lib.dbt_manifest, "project_hash", lambda: "another")
    monkeypatch.setattr(
        dagster_project.lib.dbt_manifest, "_parse", lambda home, path: parsed.append(path) or parse(home, path)
    )
    with ThreadPoolExecutor(4) as pool:
        manifests = list(pool.map(prepared_manifest, [home] * 4))
    assert len(parsed) == 1
    assert all(manifest == manifests[0] for manifest in manifests)
    assert sorted(path.name for path in home.dbt.iterdir()) == [parsed[0].name]


def test_a_project_that_cannot_be_parsed_is_one_clear_error(
    make_home: Callable[[str, int], Home], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "sql"
    shutil.copytree(warehouse.building.dbt.PROJECT, project)
    (project / "models" / "broken.sql").write_text("select * from {{ ref('nowhere') }}")
    monkeypatch.setattr(warehouse.building.dbt, "PROJECT", project)
    with pytest.raises(BuildError, match="nowhere"):
        prepared_manifest(make_home("broken", 0))


def test_the_dagster_home_is_made_once_and_then_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    prepare_dagster_home(home)
    with instance_of(home) as instance:
        assert not instance.telemetry_enabled
        assert instance.global_op_concurrency_default_limit == 1
        assert instance.run_monitoring_enabled
        # Known before the first run: of a pool that it does not know, the queue's first look starts every run.
        assert [(pool.name, pool.limit) for pool in instance.event_log_storage.get_pool_limits()] == [
            ("build_database", 1)
        ]
    configuration = home.dagster / "dagster.yaml"
    configuration.write_text("telemetry: {enabled: false}\n")
    prepare_dagster_home(home)
    assert configuration.read_text() == "telemetry: {enabled: false}\n"
