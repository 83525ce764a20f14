"""What each relation of a built or published file holds: its rows; of a cut of the ledger its sums and costs too."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import duckdb

from tracking.home import Home
from warehouse.database import connect, quoted
from warehouse.published.proof import CutProof, Sums, prove
from warehouse.published.read import open_warehouse

OVER_TIME = ("reporting_date", "reporting_week", "reporting_month")
NAMED = ("llm", "request_type", "provider", "reporting_hour")
RANKED = ("user_id", "assignment_id", "trackable_id")
"""By rank alone, never by id: what somebody notes of it is out of reach when a person is erased."""

ROWS_THEMSELVES = "record_id"


@dataclass(frozen=True, slots=True)
class Costs:
    """Exact USD by the values of one column: in their order over time, else the highest first."""

    column: str
    kind: Literal["over_time", "named", "ranked"]
    values: list[tuple[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Relation:
    """`sums` and `costs` are those of a cut; `costs` is `None` too where it has no column that says much."""

    rows: int
    sums: Sums | None = None
    costs: Costs | None = None


def built_relations(home: Home, highest: int) -> dict[str, Relation]:
    """Every table and view of schema main by its name; of costs that are not over time, so many of the highest."""
    with connect(home.build_database, read_only=True) as connection:
        return _relations(connection, highest)


def published_relations(home: Home, highest: int) -> dict[str, Relation]:
    """The same of what readers see.

    Raises:
        LedgerError: nothing was published yet, or the file cannot be read.
    """
    with open_warehouse(home) as connection:
        return _relations(connection, highest)


def _relations(connection: duckdb.DuckDBPyConnection, highest: int) -> dict[str, Relation]:
    cuts = {proof.cut: _cut(connection, proof, highest) for proof in prove(connection)}
    return {name: cuts.get(name) or Relation(_row_count(connection, name)) for name in _names(connection)}


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'main' order by table_name"
    ).fetchall()
    return [name for (name,) in rows]


def _row_count(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    return connection.execute(f"select count(*) from main.{quoted(name)}").fetchall()[0][0]


def _cut(connection: duckdb.DuckDBPyConnection, proof: CutProof, highest: int) -> Relation:
    rows = connection.execute(
        "select column_name from duckdb_columns() where schema_name = 'main' and table_name = ?", [proof.cut]
    ).fetchall()
    columns = {name for (name,) in rows}
    column = next((name for name in (*OVER_TIME, *NAMED, *RANKED) if name in columns), None)
    if column is None or ROWS_THEMSELVES in columns:
        return Relation(proof.rows, proof.sums)
    return Relation(proof.rows, proof.sums, _costs(connection, proof.cut, column, highest))


def _costs(connection: duckdb.DuckDBPyConnection, cut: str, column: str, highest: int) -> Costs:
    over_time = column in OVER_TIME
    rows = connection.execute(
        f"select coalesce({quoted(column)}::varchar, 'none'), coalesce(sum(cost_usd), 0)::decimal(38,12) "
        f"from main.{quoted(cut)} group by all order by {'1' if over_time else f'2 desc, 1 limit {highest:d}'}"
    ).fetchall()
    if column in RANKED:
        return Costs(column, "ranked", [(f"{rank}", cost) for rank, (_, cost) in enumerate(rows, 1)])
    return Costs(column, "over_time" if over_time else "named", rows)
