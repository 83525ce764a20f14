"""The command line `llm-cost`: one module per group of commands, each command with an example in its help."""

import signal
import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError

from tracking.errors import CostTrackingError
from warehouse.building.dbt import BuildError
from warehouse.cli import (
    alerts,
    budgets,
    demo,
    exports,
    integrity,
    ledger,
    maintenance,
    pages,
    prices,
    quarantine,
    reports,
    tail,
    ui,
)
from warehouse.cli.output import complain

app = typer.Typer(
    name="llm-cost",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for module in (
    ledger,
    reports,
    pages,
    exports,
    budgets,
    alerts,
    prices,
    maintenance,
    integrity,
    quarantine,
    tail,
    demo,
    ui,
):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"llm-cost {version('llm-cost-ledger')}\n")
        raise typer.Exit


@app.callback()
def main(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """What each LLM call, user and piece of work costs: exact, and proven to sum to the ledger."""


def _end(number: int, _: object) -> NoReturn:
    """Clean up on the way out: what a command was about to write is removed, and what it started ends."""
    complain(f"stopped by {signal.Signals(number).name}")
    sys.exit(128 + number)


def run() -> None:
    """Run the command line: exit code 0 done, 1 something failed or was refused, 2 bad input, 143 it was terminated."""
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except BuildError as error:
        complain(str(error))
        sys.exit(1)
    except CostTrackingError as error:
        complain(str(error))
        sys.exit(2)
    except ValidationError as error:
        # Of the process settings: `LLM_COST_…` variables.
        complain(
            "; ".join(f"{error.title} {line['loc'][0]} ({line['input']!r}): {line['msg']}" for line in error.errors())
        )
        sys.exit(2)
