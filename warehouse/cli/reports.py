"""Commands that read the published warehouse: top, sql."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from tracking.errors import ArgumentError
from warehouse.cli.output import HomeOption, JsonOption, home_of, say, say_csv, say_json, say_table, working
from warehouse.published.export import ExportFormat, export
from warehouse.published.query import ask
from warehouse.published.read import open_warehouse

Row = tuple[Any, ...]
STDOUT = Path("-")
PLAN = ["explain_key", "explain_value"]
"""What an EXPLAIN finds: a drawing of many lines."""

TOTALS = "requests, failed_requests, unpriced_requests, token_count, cost_usd"


class Cut(StrEnum):
    """What `top` can rank."""

    USERS = "users"
    ASSIGNMENTS = "assignments"
    TRACKABLES = "trackables"
    MODELS = "models"
    REQUEST_TYPES = "request-types"
    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    QUARTERS = "quarters"


RANKED = {
    Cut.USERS: ("cost_per_user", "user_id, user_name, tenant"),
    Cut.ASSIGNMENTS: ("cost_per_assignment", "assignment_id, assignment_name, tenant"),
    Cut.TRACKABLES: ("cost_per_trackable", "trackable_type, trackable_id, tenant"),
    Cut.MODELS: ("cost_per_model", "provider, llm"),
    Cut.REQUEST_TYPES: ("cost_per_request_type", "request_type"),
    Cut.DAYS: ("cost_per_day", "reporting_date"),
    Cut.WEEKS: ("cost_per_week", "reporting_week"),
    Cut.MONTHS: ("cost_per_month", "reporting_month"),
    Cut.QUARTERS: ("cost_per_quarter", "reporting_quarter"),
}
"""The relation of each cut, and the columns that name its rows."""

IN_TIME = {Cut.WEEKS, Cut.MONTHS, Cut.QUARTERS}
"""Cuts whose rows follow each other: the latest first. Of days, the dearest are what one looks for."""


UNFINISHED = {
    cut: f"select distinct {names} from dim_date where not is_whole_{period} order by 1"
    for cut, names, period in (
        (Cut.DAYS, "reporting_date", "day"),
        (Cut.WEEKS, "reporting_week", "week"),
        (Cut.MONTHS, "reporting_month", "month"),
        (Cut.QUARTERS, "reporting_quarter", "quarter"),
    )
}
"""Which periods are not over: they cost less than they will."""


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: llm-cost top users --limit 5 --as-of 2026-10-01")(top)
    app.command(epilog="Example: llm-cost sql 'select * from cost_per_day' --csv days.csv")(sql)


def top(
    cut: Annotated[Cut, typer.Argument(help="What to rank by cost.")],
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 10,
    as_of: Annotated[
        str | None,
        typer.Option(help="As it was known then: an instant, or a date's first moment, in the reporting time zone."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank users, assignments, models, days … by cost; weeks, months and quarters are listed, the latest first.

    With --as-of a closed month shows what it showed at its close: corrections and late calls since then are left out.
    """
    target = home_of(home)
    relation, names = RANKED[cut]
    if as_of is not None:
        instant = _instant(as_of, ZoneInfo(target.settings().reporting_timezone))
        relation = f"{relation}_as_of('{instant.isoformat()}')"
    order = f"{names} desc" if cut in IN_TIME else "cost_usd desc nulls last, requests desc, 1"
    query = f"select {names}, {TOTALS} from {relation} order by {order} limit {limit}"
    with open_warehouse(target) as connection:
        result = ask(connection, query)
        unfinished = ask(connection, UNFINISHED[cut]).rows if cut in UNFINISHED and as_of is None else []
    columns, rows = result.columns, result.rows
    if not as_json:
        columns, rows = _without_missing_names(columns, rows)
        if not rows:
            say(f"No {cut.value} with calls {'yet' if as_of is None else 'by then'}")
            return
    _say(columns, rows, as_json=as_json)
    listed = [start for (start,) in unfinished if any(start in row for row in rows)]
    if listed and not as_json:
        say(f"Not over yet: the {cut.removesuffix('s')} of {', '.join(map(str, listed))}.")


def _without_missing_names(columns: list[str], rows: list[Row]) -> tuple[list[str], list[Row]]:
    """Nobody wants to see a column of dashes where the home names no users."""
    positions = [
        position
        for position, column in enumerate(columns)
        if not column.endswith("_name") or any(row[position] is not None for row in rows)
    ]
    return [columns[position] for position in positions], [
        tuple(row[position] for position in positions) for row in rows
    ]


def _instant(text: str, zone: ZoneInfo) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentError(
            "--as-of", f"({text!r}) is neither a date nor an instant such as 2026-10-01T08:00+02:00"
        ) from None


def sql(
    query: Annotated[str, typer.Argument(help="One SQL query, in DuckDB's dialect.")],
    csv: Annotated[Path | None, typer.Option(help="Write the rows to this CSV file; - is stdout.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write the rows to this Parquet file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Give up after so many seconds.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the published warehouse anything.

    One query that only reads. It sees what is published, and no other file; columns of one name become n, n_1, ….
    """
    asked = [option for option, given in (("--csv", csv), ("--parquet", parquet), ("--json", as_json)) if given]
    if len(asked) > 1:
        raise ArgumentError(asked[0], f"and {asked[1]} exclude each other")
    if parquet == STDOUT:
        raise ArgumentError("--parquet", "takes a file; only CSV can go to stdout")
    target = home_of(home)
    if csv == STDOUT:
        with TemporaryDirectory() as folder:
            spooled = Path(folder) / "rows.csv"
            export(target, query, spooled, ExportFormat.CSV, most=limit, seconds=timeout)
            with spooled.open("rb") as file:
                say_csv(file)
        return
    if path := csv or parquet:
        kind = ExportFormat.CSV if csv else ExportFormat.PARQUET
        with working(f"writing {path}"):
            rows = export(target, query, path, kind, overwrite=force, most=limit, seconds=timeout)
        say(f"Wrote {rows:,} row{'s' if rows != 1 else ''} to {path}")
        return
    with open_warehouse(target) as connection:
        result = ask(connection, query, most=limit, seconds=timeout)
    if result.columns == PLAN and not as_json:
        for line in "\n".join(plan for _, plan in result.rows).splitlines():
            say(line)
    else:
        _say(result.columns, result.rows, as_json=as_json)
    if result.cut_off:
        say(f"there are more rows than {limit:,}", to_stderr=True)


def _say(columns: list[str], rows: list[Row], *, as_json: bool) -> None:
    if as_json:
        say_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        say_table(columns, rows)
