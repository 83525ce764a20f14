"""The command ui: Dagster on one home."""

import os
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from tracking.errors import CostTrackingError
from warehouse.cli.output import HomeOption, home_of


class MissingExtraError(CostTrackingError):
    """A part of the distribution that this command needs is not installed."""


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: llm-cost ui --port 3001")(ui)


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen, on this machine only.")] = 3000,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only make DAGSTER_HOME ready, for a server's own webserver and daemon.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Open Dagster on the ledger: assets, checks, runs, schedules. Stop it with Ctrl-C."""
    if find_spec("dagster_webserver") is None:
        raise MissingExtraError("ui needs Dagster; run: pip install 'llm-cost-ledger[dagster]'")
    target = home_of(home)
    target.open()
    # By name, in a process of its own: imports run from Dagster to the warehouse, never back.
    command = [sys.executable, "-m", "dagster_project", str(target.root), *([] if prepare else [str(port)])]
    os.execv(sys.executable, command)  # noqa: S606
