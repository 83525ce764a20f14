"""What relations of a DuckDB file hold, as metadata of assets. Money is exact text; micro_usd is the number to plot."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from dagster_project.lib.charts import ROWS as ROWS_SHOWN
from dagster_project.lib.charts import bar_chart, column_chart
from dagster_project.lib.translator import ROWS
from warehouse.database import connect, quoted
from warehouse.published.proof import Sums, prove

CHART = "chart"

OVER_TIME = ("reporting_date", "reporting_week", "reporting_month")
NAMED = ("llm", "request_type", "provider", "reporting_hour")
# By rank alone, never by id: what a run logged is out of reach when someone is erased.
RANKED = ("user_id", "assignment_id", "trackable_id")
ROWS_THEMSELVES = "record_id"


def measures_by_relation(database: Path) -> dict[str, dict[str, Any]]:
    """By relation of schema main: its rows and, where it is a cut of the ledger, its sums and a chart."""
    with connect(database, read_only=True) as connection:
        cuts = {
            proof.cut: {ROWS: proof.rows, **as_metadata(proof.sums), **_chart(connection, proof.cut)}
            for proof in prove(connection)
        }
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
    return connection.execute(f"select count(*) from main.{quoted(relation)}").fetchall()[0][0]


def _chart(connection: duckdb.DuckDBPyConnection, cut: str) -> dict[str, dg.MarkdownMetadataValue]:
    """The cost over time where the cut has dates, else of the largest of what it is by."""
    rows = connection.execute(
        "select column_name from duckdb_columns() where schema_name = 'main' and table_name = ?", [cut]
    ).fetchall()
    columns = {name for (name,) in rows}
    column = next((name for name in (*OVER_TIME, *NAMED, *RANKED) if name in columns), None)
    if column is None or ROWS_THEMSELVES in columns:
        return {}
    over_time = column in OVER_TIME
    bars: list[tuple[str | None, Decimal]] = connection.execute(
        f"select {quoted(column)}::varchar, coalesce(sum(cost_usd), 0)::decimal(38,12) from main.{quoted(cut)} "
        f"group by all order by {'1' if over_time else f'2 desc, 1 limit {ROWS_SHOWN}'}"
    ).fetchall()
    if over_time:
        chart = column_chart(f"USD by {column}", [(label or "none", cost) for label, cost in bars])
    elif column in NAMED:
        chart = bar_chart(f"USD by {column}, the largest", [(label or "none", cost) for label, cost in bars])
    else:
        ranks = [(f"{rank}", cost) for rank, (_, cost) in enumerate(bars, 1)]
        chart = bar_chart(f"USD by {column}, the largest by rank", ranks)
    return {CHART: chart} if chart else {}
