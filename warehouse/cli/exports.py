"""Commands that write data for elsewhere: export."""

from pathlib import Path
from typing import Annotated

import typer

from warehouse.cli.output import HomeOption, home_of, say, working
from warehouse.published.standalone import export_standalone


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: llm-cost export --standalone costs.duckdb")(export)


def export(
    standalone: Annotated[Path, typer.Option(help="Write one DuckDB file that needs no home: tables alone.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    home: HomeOption = None,
) -> None:
    """Write all that is published to one file, for a BI tool or another machine. Only you may read it."""
    with working(f"writing {standalone}"):
        tables = export_standalone(home_of(home), standalone, overwrite=force)
    say(f"Wrote {tables:,} tables to {standalone}")
