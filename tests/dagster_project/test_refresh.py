import base64
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.lib.dbt_manifest import prepared_manifest
from tracking.home import Home
from warehouse.building.build import build
from warehouse.building.dbt import PROJECT, models_changed
from warehouse.ledger.manifest import Manifest
from warehouse.published.read import open_warehouse

Refresh = Callable[[Home], dg.ExecuteInProcessResult]
MakeHome = Callable[[str, int], Home]
CALLS = 30
MODELS = {file.stem for file in (PROJECT / "models").rglob("*.sql")}


@dataclass(frozen=True)
class Refreshed:
    home: Home
    built: Home
    result: dg.ExecuteInProcessResult

    def metadata(self, asset: str) -> dict[str, object]:
        """Of the asset's only materialization."""
        key = dg.AssetKey(asset.split("/"))
        [event] = [event for event in self.result.get_asset_materialization_events() if event.asset_key == key]
        entries = event.step_materialization_data.materialization.metadata.items()
        return {name: entry if isinstance(entry, dg.TableMetadataValue) else entry.value for name, entry in entries}


@pytest.fixture(scope="module")
def refreshed(make_home: MakeHome, refresh: Refresh, tmp_path_factory: pytest.TempPathFactory) -> Refreshed:
    """A ledger refreshed by Dagster, and a copy of it built by the command line's build."""
    home = make_home("refreshed", CALLS)
    built = Home(tmp_path_factory.mktemp("built") / "home")
    shutil.copytree(home.root, built.root)
    build(built)
    return Refreshed(home, built, refresh(home))


def assets(home: Home) -> set[str]:
    """What `refresh` makes: every model, every source but the rows by day, and the published file."""
    sources = {f"ledger/{source['name']}" for source in prepared_manifest(home)["sources"].values()}
    return MODELS | sources - {"ledger/usage"} | {"published_warehouse"}


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}


def published(home: Home) -> dict[str, list[tuple[object, ...]]]:
    """Every relation readers see, row by row."""
    with open_warehouse(home) as connection:
        tables = connection.execute("select table_schema, table_name from information_schema.tables").fetchall()
        return {
            f"{schema}.{table}": connection.execute(f'select * from {schema}."{table}" order by all').fetchall()
            for schema, table in tables
        }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def falsify_manifest(home: Home) -> None:
    """Let the manifest claim another cost than the segments hold."""
    with closing(sqlite3.connect(home.manifest)) as connection, connection:
        connection.execute("update segments set cost_usd = '1234.5'")


def job_execute(home: Home, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "DBT", "LLM_COST"))}
    return subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-m", "dagster_project.definitions", "-j", "refresh"],
        env=clean | environment | {"LLM_COST_HOME": str(home.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_refresh_materializes_every_asset(refreshed: Refreshed) -> None:
    assert refreshed.result.success
    assert materialized(refreshed.result) == assets(refreshed.home) | {"ledger/usage"}


def test_every_check_passes_but_the_one_that_warns(refreshed: Refreshed) -> None:
    checks = {check.check_name for check in refreshed.result.get_asset_check_evaluations()}
    assert {"segment_files_are_whole", "reports_sum_to_ledger", "sums_to_ledger_cost_per_day_"} <= checks
    assert "unchanged_days_read_as_before" in checks
    assert "source_unique_ledger_segments_usage_date" in checks
    # Every seventh call is of a model without a price, which is more than a report should be silent about.
    assert failed_checks(refreshed.result) == {"calls_are_priced"}
    [check] = [each for each in refreshed.result.get_asset_check_evaluations() if each.check_name == "calls_are_priced"]
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert check.description == "4 of 30 calls have no price; name it in prices.toml, then run `update_prices`"


def test_what_it_publishes_is_what_the_build_publishes(refreshed: Refreshed) -> None:
    here, there = published(refreshed.home), published(refreshed.built)
    assert len(here["main.fct_usage"]) == CALLS
    # Sealing two copies gives the same rows, and days the same sums; only the files' fingerprints may differ.
    assert here == there


def test_a_cut_shows_its_rows_and_its_exact_total(refreshed: Refreshed) -> None:
    with open_warehouse(refreshed.home) as connection:
        [(cost, micro_usd)] = connection.execute("select sum(cost_usd), sum(micro_usd) from fct_usage").fetchall()
    shown = refreshed.metadata("cost_per_user")
    assert (shown["dagster/row_count"], shown["requests"]) == (3, CALLS)
    assert shown["cost_usd"] == f"{cost:f}"
    assert shown["micro_usd"] == micro_usd
    assert refreshed.metadata("stg_usage")["dagster/row_count"] == CALLS


def test_the_sealed_ledger_shows_what_is_new(refreshed: Refreshed) -> None:
    segments = refreshed.metadata("ledger/segments")
    assert (segments["rows"], segments["new_rows"], segments["dagster/row_count"]) == (CALLS, CALLS, CALLS // 3)
    assert segments["cost_usd"] == refreshed.metadata("published_warehouse")["cost_usd"]
    assert (segments["first_day"], segments["last_day"]) == ("2026-11-02", "2026-11-11")
    with Manifest(refreshed.home) as manifest:
        assert segments["bytes"] == sum(segment.bytes for segment in manifest.segments())


def test_the_published_warehouse_shows_every_relation(refreshed: Refreshed) -> None:
    shown = refreshed.metadata("published_warehouse")
    assert isinstance(shown["relations"], dg.TableMetadataValue)
    published_models = {model for model in MODELS if not model.startswith("int_")}
    assert {record.data["relation"] for record in shown["relations"].records} == published_models
    assert shown["bytes"] == refreshed.home.warehouse_database.stat().st_size
    assert shown["path"] == str(refreshed.home.warehouse_database)


def test_every_asset_says_how_long_it_took(refreshed: Refreshed) -> None:
    for asset in ("ledger/segments", "cost_per_user", "published_warehouse"):
        shown = refreshed.metadata(asset)
        assert shown["seconds"] >= 0
        assert "median_seconds" not in shown, "there was no run before"


def test_charts_name_no_user(refreshed: Refreshed) -> None:
    def drawing(asset: str) -> str:
        markdown = refreshed.metadata(asset)["chart"]
        return base64.b64decode(markdown.split("base64,")[1].removesuffix(")")).decode()

    assert ">2026-11-02 to 2026-11-11<" in drawing("cost_per_day")
    assert ">gpt-5-mini: " in drawing("cost_per_model")
    # Three users, 0 to 2, as the first, second and third.
    assert re.findall(r">([^<:]*): [^<]*<", drawing("cost_per_user")) == ["1", "2", "3"]


def test_a_refresh_notes_which_models_it_built_with(refreshed: Refreshed) -> None:
    assert not models_changed(refreshed.home)


def test_one_model_can_be_materialized_alone(
    refreshed: Refreshed, definitions_on: Callable[[Home], dg.Definitions]
) -> None:
    job = definitions_on(refreshed.home).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(asset_selection=[dg.AssetKey("cost_per_day")])
    assert materialized(result) == {"cost_per_day"}
    assert {check.asset_key.to_user_string() for check in result.get_asset_check_evaluations()} == {"cost_per_day"}


def test_an_empty_ledger_is_refreshed(make_home: MakeHome, refresh: Refresh) -> None:
    home = make_home("empty", 0)
    result = refresh(home)
    assert result.success
    assert failed_checks(result) == set()
    assert published(home)["main.cost_per_day"] == []


def test_a_failed_dbt_test_fails_the_run_and_leaves_the_published_file(
    refreshed: Refreshed, refresh: Refresh, definitions_on: Callable[[Home], dg.Definitions]
) -> None:
    home = Home(refreshed.built.root.with_name("falsified"))
    shutil.copytree(refreshed.built.root, home.root)
    before = sha256(home.warehouse_database)
    falsify_manifest(home)
    result = refresh(home)
    assert not result.success
    assert "sums_to_ledger_int_cost_daily_" in failed_checks(result)
    assert "published_warehouse" not in materialized(result)
    assert sha256(home.warehouse_database) == before

    # Nor can it be published past the tests, alone.
    job = definitions_on(home).resolve_implicit_global_asset_job_def()
    alone = job.execute_in_process(asset_selection=[dg.AssetKey("published_warehouse")], raise_on_error=False)
    assert "does not sum to the ledger" in alone.failure_data_for_node("published_warehouse").error.message
    assert sha256(home.warehouse_database) == before


def test_a_segment_that_is_gone_stops_the_run_by_name(refreshed: Refreshed, refresh: Refresh) -> None:
    home = Home(refreshed.built.root.with_name("bereft"))
    shutil.copytree(refreshed.built.root, home.root)
    before = sha256(home.warehouse_database)
    with Manifest(home) as manifest:
        first, second, *_ = manifest.segments()
    (home.usage / first.file).unlink()
    with (home.usage / second.file).open("ab") as file:
        file.write(b"!")
    result = refresh(home)
    assert not result.success
    [check] = [check for check in result.get_asset_check_evaluations() if check.check_name == "segment_files_are_whole"]
    assert not check.passed
    assert check.description == (
        f"{first.file} is missing; {second.file} has {second.bytes + 1} bytes, the manifest says {second.bytes}"
    )
    assert "ledger/segments" in materialized(result)
    assert not materialized(result) & MODELS
    assert sha256(home.warehouse_database) == before


@pytest.mark.usefixtures("empty_directory")
@pytest.mark.slow
def test_job_execute_from_a_plain_shell_succeeds_and_fails_by_its_exit_code(make_home: MakeHome) -> None:
    home = make_home("shell", 6)
    succeeded = job_execute(home)
    assert succeeded.returncode == 0, succeeded.stdout
    assert len(published(home)["main.fct_usage"]) == 6
    falsify_manifest(home)
    assert job_execute(home).returncode != 0
