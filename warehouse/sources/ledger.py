"""What dbt reads of the ledger, all from the manifest: the live segments as `ledger.usage`, their sums by day as
`ledger.segments`, and what was odd about them as `ledger.conflicts`. Beside them what was refused: `ledger.refused`."""

from collections.abc import Iterable
from dataclasses import astuple

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.causes import disk_problem, in_one_line
from warehouse.database import create_table, parquet_files
from warehouse.ledger.days import days_of
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.schema import USAGE_SCHEMA, duckdb_type
from warehouse.sources.refused import create_refused

SEGMENTS = {
    "usage_date": "DATE",
    "fingerprint": "VARCHAR",
    "segments": "BIGINT",
    "row_count": "BIGINT",
    "requests": "BIGINT",
    "token_count": "BIGINT",
    "cost_usd": "DECIMAL(38,12)",
    "micro_usd": "BIGINT",
    "unpriced_requests": "BIGINT",
    "bytes": "BIGINT",
}
CONFLICTS = {"event_key": "VARCHAR", "record_id": "VARCHAR"}


def create_sources(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Create or replace schema `ledger` from the manifest: never from a glob, so never a half-made file.

    Raises:
        LedgerError: a segment is missing or is no Parquet file, or the reports would be in a time zone that the engine
            does not know.
    """
    _refuse_unknown_timezone(connection, home)
    with Manifest(home) as manifest:
        segments = manifest.segments()
        conflicts = manifest.conflicts()
    connection.execute("begin")
    connection.execute("create schema if not exists ledger")
    columns = ", ".join(f"{name} {duckdb_type(kind)}" for name, kind in USAGE_SCHEMA.items())
    connection.execute(f"create or replace table ledger.usage_columns ({columns})")
    _create_usage(connection, home, segments)
    days = days_of(segments, home.settings().reporting_timezone).values()
    create_table(connection, "segments", SEGMENTS, [astuple(day) for day in days])
    create_table(connection, "conflicts", CONFLICTS, [astuple(conflict) for conflict in conflicts])
    create_refused(connection, home)
    connection.execute("commit")


def _refuse_unknown_timezone(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Python takes the name of any file of the system's zones for one, `localtime` and `right/…` included."""
    timezone = home.settings().reporting_timezone
    if connection.execute("select 1 from pg_timezone_names() where name = ?", [timezone]).fetchone() is None:
        raise LedgerError(f"{home.ledger_toml}: reporting_timezone is {timezone!r}, which DuckDB does not know")


def _create_usage(connection: duckdb.DuckDBPyConnection, home: Home, segments: Iterable[Segment]) -> None:
    try:
        connection.execute(f"create or replace view ledger.usage as {_usage_query(home, segments)}")
    except duckdb.Error as error:
        said = in_one_line(error)
        if disk_problem(error) is not None:
            raise LedgerError(f"ledger.usage cannot be created: {said}") from error
        raise LedgerError(f"the segments cannot be read: {said}; `llm-cost verify` names the damaged file") from error


def _usage_query(home: Home, segments: Iterable[Segment]) -> str:
    """All live rows. The empty table gives the types, and the columns that older segments lack."""
    files = [home.usage / segment.file for segment in segments if segment.row_count]
    empty = "select * from ledger.usage_columns"
    return f"{empty} union all by name select * from {parquet_files(files)}" if files else empty
