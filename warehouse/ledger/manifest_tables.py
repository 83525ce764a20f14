"""The tables of the manifest, and how a manifest of an earlier version gets them."""

import sqlite3
from contextlib import suppress
from datetime import date

import polars as pl

from tracking.home import Home
from warehouse.ledger.segment_names import segment_file

MANIFEST_VERSION = 3

SEGMENTS = """
create table segments (
    name text not null,
    usage_date text not null,
    row_count integer not null,
    requests integer not null,
    token_count integer not null,
    cost_usd text not null,
    micro_usd integer not null,
    unpriced_requests integer not null,
    bytes integer not null,
    sha256 text not null,
    prompts integer not null,
    prompts_sha256 text,
    journal text,
    journal_start integer,
    journal_end integer,
    primary key (usage_date, name)
) strict
"""
RETIRED = """
create table retired (
    name text not null,
    usage_date text not null,
    retired_at text not null,
    unpublished_at text,
    primary key (usage_date, name)
) strict
"""
SINCE_THE_FIRST = (
    "create table journals (name text primary key, sealed_bytes integer not null) strict",
    """
    create table quarantined (
        journal text not null,
        start integer not null,
        length integer not null,
        reason text not null,
        primary key (journal, start)
    ) strict
    """,
    "create table conflicts (event_key text not null, record_id text primary key) strict",
    "create table superseded (record_id text primary key) strict",
)

STEPS: dict[int, tuple[str, ...]] = {
    0: (SEGMENTS, RETIRED, *SINCE_THE_FIRST),
    1: (
        "alter table segments rename to segments_1",
        SEGMENTS,
        "insert into segments select * from segments_1",
        "drop table segments_1",
        RETIRED,
    ),
    2: (),
}
"""From each earlier version to this one. 0 is a file with nothing in it; 1 knew no segment that was not sealed; until 2
failed calls were counted as unpriced."""


def migrate(connection: sqlite3.Connection, version: int, home: Home) -> None:
    """Bring a manifest of `version` to this one. Call it within a transaction."""
    for statement in STEPS[version]:
        connection.execute(statement)
    if version > 0:
        _count_unpriced_anew(connection, home)
    connection.execute(f"pragma user_version = {MANIFEST_VERSION}")


def _count_unpriced_anew(connection: sqlite3.Connection, home: Home) -> None:
    """A segment that cannot be read keeps what was counted; verification names it."""
    from warehouse.ledger.segments import UNPRICED_REQUESTS, scan

    for day, name in connection.execute("select usage_date, name from segments where row_count > 0").fetchall():
        file = home.usage / segment_file(date.fromisoformat(day), name)
        with suppress(OSError, pl.exceptions.PolarsError):
            count = scan(file).select(UNPRICED_REQUESTS.sum()).collect().item()
            connection.execute(
                "update segments set unpriced_requests = ? where usage_date = ? and name = ?", (count, day, name)
            )
