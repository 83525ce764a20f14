"""Commands that read the published warehouse: top, sql."""

from enum import StrEnum
from typing import Annotated

import duckdb
import typer

from tracking.errors import CostTrackingError
from tracking.home import Home
from warehouse.cli.output import HomeOption, JsonOption, home_of, say_json, say_table
from warehouse.reading import open_warehouse

TOTALS = "requests, unpriced_requests, token_count, cost_usd"


class Cut(StrEnum):
    """What `top` can rank."""

    USERS = "users"
    ASSIGNMENTS = "assignments"
    TRACKABLES = "trackables"
    DAYS = "days"


TOP_QUERIES = {
    Cut.USERS: f"select user_id, tenant, {TOTALS} from cost_per_user",
    Cut.ASSIGNMENTS: f"select assignment_id, tenant, {TOTALS} from cost_per_assignment",
    Cut.TRACKABLES: f"select trackable_type, trackable_id, tenant, {TOTALS} from cost_per_trackable",
    Cut.DAYS: f"select reporting_date, {TOTALS} from cost_per_day",
}


class QueryError(CostTrackingError):
    """DuckDB refused a query."""


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: llm-cost top users --limit 5")(top)
    app.command(epilog="Example: llm-cost sql 'select * from cost_per_day'")(sql)


def top(
    cut: Annotated[Cut, typer.Argument(help="What to rank by cost.")],
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 10,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank users, assignments, trackables or days by what they cost."""
    query = f"{TOP_QUERIES[cut]} order by cost_usd desc nulls last, requests desc, 1 limit {limit}"
    _run(query, home_of(home), as_json=as_json)


def sql(
    query: Annotated[str, typer.Argument(help="One SQL query, in DuckDB's dialect.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the published warehouse anything. It is opened read-only."""
    _run(query, home_of(home), as_json=as_json)


def _run(query: str, home: Home, *, as_json: bool) -> None:
    with open_warehouse(home) as connection:
        try:
            connection.execute(query)
            columns = [column[0] for column in connection.description or []]
            rows = connection.fetchall()
        except duckdb.Error as error:
            raise QueryError(str(error).strip().splitlines()[0]) from error
    if as_json:
        say_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        say_table(columns, rows)
