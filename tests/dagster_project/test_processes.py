"""Runs as real processes under a real daemon: two at once, one killed, and PostgreSQL beneath them."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.lib.dagster_home import instance_of, prepare_dagster_home
from tracking.home import Home
from warehouse.locks import building
from warehouse.published.read import open_warehouse

pytestmark = pytest.mark.slow

SECONDS_TO_FINISH = 900
REFRESHES = dg.RunsFilter(job_name="refresh")
"""What was launched here, and not what a schedule of the daemon did at some minute of the night."""
DEPLOYMENT = Path(__file__).parents[2] / "docs" / "deploy"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


def environment(home: Home, more: Mapping[str, str] | None = None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "DBT", "LLM_COST"))}
    return clean | {"LLM_COST_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)} | dict(more or {})


@contextlib.contextmanager
def daemon(home: Home, more: Mapping[str, str] | None = None) -> Iterator[None]:
    """A daemon that starts queued runs; everything it started ends with it."""
    command = [sys.executable, "-m", "dagster._daemon", "run", "-m", "dagster_project.definitions"]
    with (home.root / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment(home, more), stdout=log, stderr=log, start_new_session=True, cwd=home.root
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def spoil_every_day(home: Home, rows: int) -> None:
    """Let the manifest claim more rows than there are, or take that back: a test of dbt fails, no sum of money does."""
    with contextlib.closing(sqlite3.connect(home.manifest)) as connection, connection:
        connection.execute("update segments set row_count = row_count + ?", [rows])


def ticks_of_following(instance: dg.DagsterInstance) -> int:
    """How often the daemon asked what follows the ledger since the home is there."""
    [state] = [each for each in instance.all_instigator_state() if each.instigator_name == "reports_follow_the_ledger"]
    return len(instance.get_ticks(state.instigator_origin_id, state.selector_id))


def started_by_itself(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that follow the ledger, the newest first."""
    return list(instance.get_runs(dg.RunsFilter(tags={"dagster/from_automation_condition": "true"})))


def start_launch(home: Home, more: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "dagster", "job", "launch", "-m", "dagster_project.definitions", "-j", "refresh"]
    return subprocess.Popen(
        command, env=environment(home, more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=home.root
    )


def wait_for(answer: Callable[[], Any], what: str, log: Path) -> Any:
    deadline = time.monotonic() + SECONDS_TO_FINISH
    while time.monotonic() < deadline:
        if (found := answer()) is not None:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {SECONDS_TO_FINISH} s:\n{log.read_text(errors='replace')[-4000:]}")


def all_finished(instance: dg.DagsterInstance, count: int) -> list[dg.DagsterRunStatus] | None:
    runs = instance.get_runs(REFRESHES)
    return [run.status for run in runs] if len(runs) >= count and all(run.is_finished for run in runs) else None


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def calls_published(home: Home) -> int:
    with open_warehouse(home) as connection:
        return connection.execute("select count(*) from fct_usage").fetchall()[0][0]


def test_two_runs_at_once_both_succeed_and_a_killed_one_is_healed_by_the_next(
    make_home: Callable[[str, int], Home],
) -> None:
    home = make_home("processes", 12)
    prepare_dagster_home(home)
    configuration = home.dagster / "dagster.yaml"
    configuration.write_text(
        configuration.read_text().replace("poll_interval_seconds: 30", "poll_interval_seconds: 2")
        # A run that followed the ledger by itself would wait for the lock that is held here, and keep others waiting.
        + "auto_materialize:\n  enabled: false\n  use_sensors: false\n"
    )
    log = home.root / "daemon.log"
    with instance_of(home) as instance, daemon(home):
        launches = [start_launch(home), start_launch(home)]
        assert [launch.wait() for launch in launches] == [0, 0]
        statuses = wait_for(lambda: all_finished(instance, 2), "two runs", log)
        assert statuses == [dg.DagsterRunStatus.SUCCESS] * 2
        assert built_one_after_the_other(instance)
        assert calls_published(home) == 12
        before = sha256(home.warehouse_database)

        # A build on the command line holds the lock, so that the run is met in the middle, waiting for it.
        with building(home):
            assert start_launch(home).wait() == 0
            worker = wait_for(lambda: step_process(instance, "dbt_models"), "a run in its dbt step", log)
            os.kill(worker, signal.SIGKILL)
        newest = instance.get_runs(REFRESHES, limit=1)[0].run_id
        wait_for(lambda: instance.get_run_by_id(newest).is_finished or None, "run monitoring", log)
        assert instance.get_run_by_id(newest).status == dg.DagsterRunStatus.FAILURE
        assert sha256(home.warehouse_database) == before

        assert start_launch(home).wait() == 0
        statuses = wait_for(lambda: all_finished(instance, 4), "the run after", log)
        assert statuses[0] == dg.DagsterRunStatus.SUCCESS
        assert calls_published(home) == 12


def test_what_failed_a_test_is_not_published_by_itself_and_what_follows_the_ledger_is_tested(
    make_home: Callable[[str, int], Home],
) -> None:
    home = make_home("gated", 12)
    prepare_dagster_home(home)
    log = home.root / "daemon.log"
    with instance_of(home) as instance, daemon(home):
        assert start_launch(home).wait() == 0
        wait_for(lambda: all_finished(instance, 1), "the first run", log)
        before = sha256(home.warehouse_database)
        known = len(started_by_itself(instance))

        spoil_every_day(home, 1)
        assert start_launch(home).wait() == 0
        statuses = wait_for(lambda: all_finished(instance, 2), "the run that fails in a test", log)
        assert statuses[0] == dg.DagsterRunStatus.FAILURE
        asked = ticks_of_following(instance)
        wait_for(lambda: ticks_of_following(instance) >= asked + 4 or None, "what follows the ledger", log)
        assert len(started_by_itself(instance)) == known
        assert sha256(home.warehouse_database) == before

        spoil_every_day(home, -1)
        assert start_launch(home).wait() == 0
        statuses = wait_for(lambda: all_finished(instance, 3), "the run that heals it", log)
        assert statuses[0] == dg.DagsterRunStatus.SUCCESS
        known, before = len(started_by_itself(instance)), sha256(home.warehouse_database)

        # A day by hand: the reports follow in a run that the daemon starts by itself.
        by_hand = ["--select", 'key:"ledger/usage"', "--partition", "2026-11-02"]
        command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "dagster_project.definitions"]
        subprocess.run([*command, *by_hand], env=environment(home), check=True, capture_output=True, cwd=home.root)
        wait_for(lambda: sha256(home.warehouse_database) != before or None, "the reports that follow", log)
        run = started_by_itself(instance)[0]
        wait_for(lambda: instance.get_run_by_id(run.run_id).is_finished or None, "the end of that run", log)
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.SUCCESS
        checks = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        assert len(checks) > 200


def built_one_after_the_other(instance: dg.DagsterInstance) -> bool:
    """Whether no two runs were in a step of the pool at once; a run may start while another is past them."""
    spans: list[tuple[float, float]] = []
    for run in instance.get_runs(REFRESHES):
        steps = instance.get_run_step_stats(run.run_id, ["dbt_models", "published_warehouse"])
        spans.append((min(step.start_time or 0 for step in steps), max(step.end_time or 0 for step in steps)))
    earlier, later = sorted(spans)
    return 0 < earlier[1] <= later[0]


def step_process(instance: dg.DagsterInstance, step: str) -> int | None:
    """The process of the newest run, once it is in that step."""
    run = instance.get_runs(REFRESHES, limit=1)[0]
    if run.is_finished:
        raise AssertionError(f"the run ended before: {run.status}")
    stats = instance.get_run_step_stats(run.run_id, [step])
    if not stats or stats[0].status.value != "IN_PROGRESS":
        return None
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    pids = [
        entry.metadata["pid"].value
        for event in events
        for entry in [event.dagster_event.engine_event_data]
        if "pid" in entry.metadata
    ]
    return int(pids[-1]) if pids else None


@pytest.fixture
def postgres() -> Iterator[dict[str, str]]:
    """A PostgreSQL of its own, reached over TCP; the variables that docs/deploy/llm-cost.env sets."""
    if not POSTGRES:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    binaries, data = POSTGRES[-1].parent, Path(tempfile.mkdtemp(prefix="postgres-"))
    # PostgreSQL refuses to run as root, and pytest's own folders are root's alone.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(data, "postgres")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "cwd": "/"}
    initdb = [*as_user, str(binaries / "initdb"), "-D", str(data), "-U", "llm_cost", "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, **quiet)
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={data} -c fsync=off"
    control = [*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    subprocess.run([*control, "-l", str(data / "log"), "-o", options, "start"], check=True, **quiet)
    try:
        yield {"LLM_COST_PG_URL": f"postgresql+psycopg2://llm_cost:unused@127.0.0.1:{port}/postgres"}
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, **quiet)
        shutil.rmtree(data)


def test_the_server_deployment_runs_a_refresh_on_postgresql(
    make_home: Callable[[str, int], Home], postgres: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home("server", 6)
    prepare_dagster_home(home)
    shutil.copy(DEPLOYMENT / "dagster-postgres.yaml", home.dagster / "dagster.yaml")
    for name, value in postgres.items():
        monkeypatch.setenv(name, value)
    log = home.root / "daemon.log"
    with instance_of(home) as instance, daemon(home, postgres):
        assert "postgres" in type(instance.event_log_storage).__module__
        assert start_launch(home, postgres).wait() == 0
        assert wait_for(lambda: all_finished(instance, 1), "a run", log) == [dg.DagsterRunStatus.SUCCESS]
    assert calls_published(home) == 6


def test_the_units_start_what_is_documented() -> None:
    settings = dict(
        line.split("=", 1) for line in (DEPLOYMENT / "llm-cost.env").read_text().splitlines() if "=" in line
    )
    assert settings["DAGSTER_HOME"] == f"{Home(settings['LLM_COST_HOME']).dagster}"
    assert "env: LLM_COST_PG_URL\n" in (DEPLOYMENT / "dagster-postgres.yaml").read_text()
    assert settings["LLM_COST_PG_URL"].startswith("postgresql+psycopg2://")
    for unit, program in (("daemon", "dagster-daemon run"), ("webserver", "dagster-webserver")):
        content = (DEPLOYMENT / f"llm-cost-{unit}.service").read_text()
        assert f"ExecStart=/opt/llm-cost/bin/{program} -m dagster_project.definitions" in content
        assert "EnvironmentFile=/etc/llm-cost.env" in content
