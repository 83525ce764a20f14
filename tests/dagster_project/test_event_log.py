"""The event log that opens its files once: what others see of it, and what it leaves open."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from dagster_project.lib.dagster_home import instance_of, prepare_dagster_home
from dagster_project.lib.event_log import OPEN_FILES, EventLog
from tracking.home import Home


@dg.asset(check_specs=[dg.AssetCheckSpec("whole", asset="report")])
def report() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 3}, check_results=[dg.AssetCheckResult(passed=True)])


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = Home(tmp_path)
    prepare_dagster_home(home)
    with instance_of(home) as instance:
        assert isinstance(instance.event_log_storage, EventLog)
        yield instance


def runs(instance: dg.DagsterInstance) -> Path:
    return Path(instance.root_directory, "history", "runs")


def open_databases(instance: dg.DagsterInstance) -> set[str]:
    """Of this process, as the kernel says."""
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {Path(link).stem for link in links if link.startswith(f"{runs(instance)}/") and link.endswith(".db")}


def test_dagsters_own_event_log_reads_the_same_of_the_same_files(instance: dg.DagsterInstance) -> None:
    result = dg.materialize([report], instance=instance)
    own = SqliteEventLogStorage(str(runs(instance)))
    own.register_instance(instance)
    events = own.get_logs_for_run(result.run_id)
    assert events == instance.event_log_storage.get_logs_for_run(result.run_id)
    assert "ASSET_CHECK_EVALUATION" in {event.dagster_event_type.value for event in events if event.dagster_event_type}
    for storage in (own, instance.event_log_storage):
        [record] = storage.get_asset_records([report.key])
        assert record.asset_entry.last_materialization.asset_materialization.metadata["rows"].value == 3
        [check] = storage.get_asset_check_execution_history(report.check_specs_by_output_name["report_whole"].key, 9)
        assert check.status.value == "SUCCEEDED"


def test_a_page_that_follows_a_run_hears_of_each_event(instance: dg.DagsterInstance) -> None:
    run = dg.materialize([report], instance=instance).dagster_run
    page = SqliteEventLogStorage(str(runs(instance)))
    heard = Event()
    page.watch(run.run_id, None, lambda event, _: heard.set() if "after everything" in (event.message or "") else None)
    try:
        instance.report_engine_event("after everything", run)
        assert heard.wait(60)
    finally:
        page.dispose()


def test_few_files_stay_open_however_many_runs_are_looked_at(instance: dg.DagsterInstance) -> None:
    run_ids = [dg.materialize([report], instance=instance).run_id for _ in range(OPEN_FILES + 2)]
    counts = {len(instance.event_log_storage.get_logs_for_run(run_id)) for run_id in run_ids}
    assert len(counts) == 1
    assert 2 <= len(open_databases(instance)) <= OPEN_FILES
    instance.event_log_storage.dispose()
    assert open_databases(instance) == set()
    assert len(instance.event_log_storage.get_logs_for_run(run_ids[0])) in counts, "and opens again when asked"


def test_what_is_deleted_is_gone_and_may_be_made_anew(instance: dg.DagsterInstance) -> None:
    kept, deleted = (dg.materialize([report], instance=instance).run_id for _ in range(2))
    instance.delete_run(deleted)
    assert instance.event_log_storage.get_logs_for_run(deleted) == []
    assert instance.event_log_storage.get_logs_for_run(kept) != []
    instance.event_log_storage.wipe()
    assert instance.event_log_storage.get_logs_for_run(kept) == []
    assert dg.materialize([report], instance=instance).success


def test_the_file_of_a_run_is_the_groups_where_the_home_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    before = os.umask(0o007)
    try:
        prepare_dagster_home(Home(tmp_path))
        with instance_of(Home(tmp_path)) as instance:
            run = dg.materialize([report], instance=instance).run_id
            (file,) = runs(instance).glob(f"{run}.db")
            assert oct(file.stat().st_mode & 0o7777) == oct(0o660)
    finally:
        os.umask(before)
