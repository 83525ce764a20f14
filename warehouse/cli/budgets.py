"""The command budget: what is spent, what is left, and what is to be expected."""

import sys
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from warehouse.cli.output import HomeOption, JsonOption, home_of, printable, say, say_json, show_table
from warehouse.published.query import ask
from warehouse.published.read import open_warehouse

BAR = 20
COLOURS = {"ok": "green", "warn": "yellow", "over": "red"}
CURRENT = "select * from budget_status where is_current order by share_spent desc nulls last, budget_name"

Row = Mapping[str, Any]


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: llm-cost budget")(budget)


def budget(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show how each budget of budgets.toml stands in its current period, by the last build.

    Exit code 1 when a budget is over its limit, so that a script can tell.
    """
    target = home_of(home)
    with open_warehouse(target) as connection:
        standing = ask(connection, CURRENT)
    rows = [dict(zip(standing.columns, row, strict=True)) for row in standing.rows]
    if as_json:
        say_json(rows)
    elif rows:
        _say_budgets(rows)
    else:
        file = target.budgets_toml
        reason = (
            f"by the last build no entry of {file} covers a day of the ledger"
            if file.exists()
            else (f"write {file}, then run `llm-cost build`; see docs/budgets.md")
        )
        say(f"No budget is in force: {reason}")
    if any(row["status"] == "over" for row in rows):
        sys.exit(1)


def _say_budgets(rows: Sequence[Row]) -> None:
    table = Table(title=_title(rows[0]), title_justify="left", title_style="bold")
    for name, side in (
        ("budget", "left"),
        ("period", "left"),
        ("spent of limit", "left"),
        ("USD", "right"),
        ("limit", "right"),
        ("left", "right"),
        ("a day", "right"),
        ("forecast (80 %)", "right"),
        ("over on", "left"),
        ("status", "left"),
    ):
        table.add_column(name, justify=side, no_wrap=True)  # pyright: ignore[reportArgumentType]
    for row in rows:
        table.add_row(*_cells(row))
    show_table(table)
    for note in _notes(rows):
        say(note)


def _title(row: Row) -> str:
    """At whose end they stand; of a day that is not over that it is not."""
    status_date: date = row["status_date"]
    if row["last_whole_date"] < status_date:
        return f"Budgets in the course of {status_date}, which is not over"
    return f"Budgets at the end of {status_date}"


def _cells(row: Row) -> list[Text]:
    status = row["status"]
    return [
        Text(printable(row["budget_name"])),
        Text(_period(row)),
        _bar(row["share_spent"], status),
        Text(_usd(row["spent_usd"], row)),
        Text(_usd(row["limit_usd"], row)),
        Text(_usd(row["left_usd"], row)),
        Text(_usd(row["burn_usd_per_day"], row)),
        Text(_forecast(row)),
        Text(_crossing(row)),
        Text(f"{status} {row['warn_percent']} %" if status == "warn" else status, style=COLOURS[status]),
    ]


def _period(row: Row) -> str:
    start: date = row["period_start"]
    match row["period"]:
        case "day":
            return f"{start}"
        case "month":
            return f"{start:%Y-%m}"
        case _:
            return f"{start} to {row['period_end']}"


def _bar(share: float | None, status: str) -> Text:
    """A share above the whole fills the bar, and its number says how far above."""
    if share is None:
        return Text("–")
    filled = min(BAR, max(0, round(share * BAR)))
    bar = Text("█" * filled, style=COLOURS[status])
    bar.append("░" * (BAR - filled), style="dim")
    return bar.append(f" {share:>4.0%}")


def _usd(amount: Decimal | float | None, row: Row) -> str:
    """To the cent, and finer where the budget is small. `--json` has every digit."""
    if amount is None:
        return "–"
    return f"{amount:,.2f}" if row["limit_usd"] >= 10 else f"{amount:,.4f}"


def _forecast(row: Row) -> str:
    if row["forecast_usd"] is None or row["days_left"] == 0:
        return "–"
    if row["forecast_low_usd"] is None:
        return f"~{_usd(row['forecast_usd'], row)}"
    expected, low, high = (_usd(row[name], row) for name in ("forecast_usd", "forecast_low_usd", "forecast_high_usd"))
    return f"~{expected} ({low} to {high})"


def _crossing(row: Row) -> str:
    if row["crossed_on"]:
        return f"{row['crossed_on']}"
    return f"~{row['forecast_crossing_on']}" if row["forecast_crossing_on"] else "–"


def _notes(rows: Sequence[Row]) -> list[str]:
    notes: list[str] = []
    unpriced = [f"{row['budget_name']} {row['unpriced_requests']:,}" for row in rows if row["unpriced_requests"]]
    if unpriced:
        notes.append(f"Spent holds no cost of calls without a price: {', '.join(unpriced)}.")
    errors = [
        f"{row['budget_name']} {row['forecast_error']:.0%} (interval held {row['forecast_coverage']:.0%})"
        for row in rows
        if row["forecast_error"] is not None and row["forecast_coverage"] is not None and row["days_left"]
    ]
    if errors:
        notes.append(f"Forecasts of closed periods were off by: {', '.join(errors)}.")
    return notes
