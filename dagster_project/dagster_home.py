"""The `DAGSTER_HOME` of a ledger: runs, events and schedules rest below the ledger's own home."""

from tracking.durable_files import create_exclusively
from tracking.home import Home

DAGSTER_YAML = b"""\
# Made once and then yours to change.
telemetry:
  enabled: false
nux:
  enabled: false

# One process may write build.duckdb. Everything that opens it shares the pool `build_database`; a second run waits in
# the queue instead of failing.
concurrency:
  pools:
    default_limit: 1
    granularity: run
"""


def prepare_dagster_home(home: Home) -> None:
    """Create what Dagster needs below the home. What is there already stays as it is."""
    home.dagster.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_exclusively(home.dagster / "dagster.yaml", DAGSTER_YAML)
