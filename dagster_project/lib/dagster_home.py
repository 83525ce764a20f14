"""The `DAGSTER_HOME` of a ledger: runs, events and schedules rest below the ledger's own home."""

import os
from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from tracking.durable_files import create_exclusively, make_directory, set_own_mode
from tracking.home import Home
from warehouse.locks import preparing_dagster

VARIABLE = "DAGSTER_HOME"

BUILD_DATABASE_POOL = "build_database"
"""Everything that opens build.duckdb: one process may write it."""

DAGSTER_YAML = b"""\
# Made once and then yours to change.
telemetry:
  enabled: false
nux:
  enabled: false

# Dagster's own event log opens and closes two databases for every event: 8 s of a core in every refresh.
event_log_storage:
  module: dagster_project.lib.event_log
  class: EventLog
  config:
    dagster_home:
      env: DAGSTER_HOME

# One process may write build.duckdb. Everything that opens it shares the pool `build_database`; a second run waits in
# the queue instead of failing.
concurrency:
  pools:
    default_limit: 1
    granularity: run

# A run whose process is gone is marked failed, which frees its slot.
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  poll_interval_seconds: 30
"""


def prepare_dagster_home(home: Home) -> None:
    """Create what Dagster needs below the home, its storage and pool too. What is there already stays as it is."""
    home.open()
    make_directory(home.dagster)
    create_exclusively(home.dagster / "dagster.yaml", DAGSTER_YAML)
    # Two processes that make the same tables at once spoil them for good.
    with preparing_dagster(home), instance_of(home) as instance:
        # A pool that the storage has not seen has no limit in the queue's first look: two runs would start at once.
        if BUILD_DATABASE_POOL not in {pool.name for pool in instance.event_log_storage.get_pool_limits()}:
            instance.event_log_storage.initialize_concurrency_limit_to_default(BUILD_DATABASE_POOL)


def share_databases(home: Home) -> None:
    """Give what this user's Dagster keeps there its folder's mode: SQLite makes files that no group can write to."""
    for database in home.dagster.rglob("*.db"):
        set_own_mode(database)


@contextmanager
def instance_of(home: Home) -> Generator[dg.DagsterInstance, None, None]:
    """What Dagster remembers of a home, as `dagster.yaml` there says: it may ask the environment where that is."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(home.dagster)
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
