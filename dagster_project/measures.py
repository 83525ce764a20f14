"""What relations of a DuckDB file hold, as metadata of assets. Money is exact text; micro_usd is the number to plot."""

from pathlib import Path
from typing import Any

import duckdb

from dagster_project.translator import ROWS
from warehouse.proof import Sums, prove


def measures_by_relation(database: Path) -> dict[str, dict[str, Any]]:
    """By relation of schema main: its rows and, where it is a cut of the ledger, its sums."""
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        cuts = {proof.cut: {ROWS: proof.rows, **as_metadata(proof.sums)} for proof in prove(connection)}
        return {name: cuts.get(name) or {ROWS: _rows(connection, name)} for name in relations(connection)}


def relations(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables and views of schema main."""
    rows = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'main' order by table_name"
    ).fetchall()
    return [name for (name,) in rows]


def as_metadata(sums: Sums) -> dict[str, Any]:
    """Integers as they are; USD as decimal text, to the last of its 12 places."""
    return {name: value if isinstance(value, int) else f"{value:f}" for name, value in sums.items()}


def _rows(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return connection.execute(f'select count(*) from main."{relation}"').fetchall()[0][0]
