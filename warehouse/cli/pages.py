"""Commands that write a page: report, docs."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from warehouse.cli.output import HomeOption, home_of, say, working
from warehouse.published.named_files import refuse_existing

REPORT_FILE = Path("llm-cost-report.html")
DOCS_FILE = Path("llm-cost-docs.html")
DAY = ["%Y-%m-%d"]


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: llm-cost report september.html --from 2026-09-01 --to 2026-09-30")(report)
    app.command(epilog="Example: llm-cost docs models.html")(docs)


def report(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = REPORT_FILE,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=DAY, help="The first day; default: the ledger's.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAY, help="The last day; default: the ledger's.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    home: HomeOption = None,
) -> None:
    """Write a period's costs as one HTML page, which opens anywhere and fetches nothing.

    Days are those of the reporting time zone. It shows what the last build published, and whether all of it sums to the
    ledger. It names users and assignments, and so only you may read the file.
    """
    from warehouse.html_report import write_report

    if not force:
        refuse_existing(file)
    with working(f"writing {file}"):
        figures = write_report(home_of(home), file, first and first.date(), last and last.date())
    say(f"Wrote {file}: {figures.period.first} to {figures.period.last}, {figures.total['requests']:,} calls")


def docs(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = DOCS_FILE,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    home: HomeOption = None,
) -> None:
    """Write what every report and column means, and what follows from what, as one HTML page."""
    from warehouse.published.model_docs import write_model_docs

    if not force:
        refuse_existing(file)
    with working(f"writing {file}"):
        write_model_docs(home_of(home), file)
    say(f"Wrote {file}")
