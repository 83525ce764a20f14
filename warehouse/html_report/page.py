"""From figures to one file of HTML: no script, nothing fetched, readable by its owner alone."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.html_report import words
from warehouse.html_report.chart import column_chart
from warehouse.html_report.figures import Figures, read_figures
from warehouse.ledger.days import today_of
from warehouse.published.named_files import writing
from warehouse.published.read import open_warehouse

FILTERS = ("usd", "exactly", "count", "short_count", "percent", "seconds", "day")


def write_report(home: Home, path: Path, first: date | None = None, last: date | None = None) -> Figures:
    """Write the report of a period (days of the reporting time zone, both included) to `path`, mode 0600.

    Raises:
        ArgumentError: the period ends before it begins.
        LedgerError: nothing was published yet, or the file cannot be written.
    """
    try:
        with open_warehouse(home) as connection:
            figures = read_figures(connection, first, last, today_of(home))
        content = rendered(figures, home.settings().reporting_timezone)
    except (duckdb.CatalogException, duckdb.BinderException, UndefinedError) as error:
        raise LedgerError(f"{home.warehouse_database} is of another version; `llm-cost build` renews it") from error
    with writing(path) as temporary:
        temporary.write_text(content, "utf-8")
    return figures


def rendered(figures: Figures, timezone: str) -> str:
    """The page; every text of the ledger is escaped."""
    environment = Environment(
        loader=PackageLoader(__name__.rpartition(".")[0], ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({name: getattr(words, name) for name in FILTERS})  # pyright: ignore[reportUnknownMemberType]
    chart = column_chart([(str(row["start"]), row["cost_usd"] or Decimal(0)) for row in figures.course])
    return environment.get_template("page.html.jinja").render(
        figures=figures,
        timezone=timezone,
        chart=chart,
        share_of_total=partial(_share, figures.total),
        change=None
        if figures.before is None or figures.whole_total is None
        else _change(figures.before, figures.whole_total),
        style=files(__package__ or "").joinpath("page.css").read_text("utf-8"),
        holds=all(proof.holds for proof in figures.proofs),
    )


def _share(total: Mapping[str, Any], row: Mapping[str, Any]) -> Decimal:
    """Of the period's cost, at most 1 and never negative: the length of a bar."""
    if not total["cost_usd"] or total["cost_usd"] < 0:
        return Decimal(0)
    return min(max((row["cost_usd"] or Decimal(0)) / total["cost_usd"], Decimal(0)), Decimal(1))


def _change(before: Mapping[str, Any], total: Mapping[str, Any]) -> Decimal | None:
    """How much more the period cost than the one before it, as a share of that."""
    if not before["cost_usd"] or total["cost_usd"] is None:
        return None
    return total["cost_usd"] / before["cost_usd"] - 1
