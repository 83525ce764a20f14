"""Whether segments are as they were sealed, before anything is made of them: each is hashed once, when it is new to
`build.duckdb`, and again where its file was written to since."""

from collections.abc import Iterable

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.database import insert_rows
from warehouse.ledger.manifest import Segment
from warehouse.ledger.segments import sha256_of

TABLE = "int_intact_segments"
COLUMNS = {"file": "VARCHAR", "sha256": "VARCHAR", "state": "VARCHAR"}


def refuse_damaged(connection: duckdb.DuckDBPyConnection, home: Home, segments: Iterable[Segment]) -> None:
    """Read the bytes of each segment that is not known to be intact.

    Raises:
        LedgerError: one is missing, cannot be read, or is not what was sealed.
    """
    connection.execute("create schema if not exists ledger")
    typed = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    connection.execute(f"create table if not exists ledger.{TABLE} ({typed})")
    noted_segments = set(connection.execute(f"select file, sha256, state from ledger.{TABLE}").fetchall())
    live_segments = {(segment.file, segment.sha256, _state(home, segment)) for segment in segments}
    new = sorted(live_segments - noted_segments)
    for file, sha256, _ in new:
        _check(home, file, sha256)
    if live_segments != noted_segments:
        connection.execute(f"delete from ledger.{TABLE}")
        insert_rows(connection, TABLE, COLUMNS, sorted(live_segments))


def forget_intact(connection: duckdb.DuckDBPyConnection) -> None:
    """Have every segment read again: a disk may lose a byte without anybody having written to the file."""
    connection.execute(f"drop table if exists ledger.{TABLE}")


def _state(home: Home, segment: Segment) -> str:
    """Another one for every file that is put there, and for one that is written to."""
    try:
        status = (home.usage / segment.file).stat()
    except OSError as error:
        raise LedgerError(_problem(home, segment.file, f"({error.strerror})")) from error
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _check(home: Home, file: str, sha256: str) -> None:
    try:
        found = sha256_of(home.usage / file)
    except OSError as error:
        raise LedgerError(_problem(home, file, f"({error.strerror})")) from error
    if found != sha256:
        raise LedgerError(_problem(home, file, f"is damaged, its SHA-256 is {found}, not {sha256}"))


def _problem(home: Home, file: str, what: str) -> str:
    return f"segments cannot be read: {home.usage / file} {what}; `llm-cost verify` names the damaged file"
