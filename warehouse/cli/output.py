"""How commands speak: tables for people, JSON for programs, errors in one line on stderr."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.status import Status
from rich.table import Table
from rich.text import Text

from tracking.home import Home
from tracking.settings import ProcessSettings

LONGEST_TEXT = 80
"""Of a cell, on a terminal. Elsewhere nothing is cut off."""

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The ledger's home; default LLM_COST_HOME, else ./llm-cost-data.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs. Money is decimal text.")]


def home_of(option: Path | None) -> Home:
    return Home(option if option is not None else ProcessSettings().home)


def say(text: str = "", *, to_stderr: bool = False) -> None:
    """One line for a person, on stdout, without markup: a user's id may hold brackets."""
    Console(highlight=False, soft_wrap=True, stderr=to_stderr).print(_printable(text), markup=False, emoji=False)


def say_at_once(text: str) -> None:
    """One line on stdout that is there when this returns, for a stream of them."""
    sys.stdout.write(f"{_printable(text)}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    sys.stderr.write(f"llm-cost: {_printable(' '.join(text.split()))}\n")


def say_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False, indent=1) + "\n")


def say_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None, *, to_stderr: bool = False
) -> None:
    """A table for a person. Numbers stand right; NULL is a dash, never a zero. No digit is ever cut off."""
    rows = list(rows)
    console = Console(highlight=False, stderr=to_stderr)
    longest = LONGEST_TEXT if console.is_terminal else None
    table = Table(title=title, title_justify="left", header_style="bold", title_style="bold")
    for position, column in enumerate(columns):
        numeric = any(isinstance(row[position], int | Decimal | float) for row in rows)
        table.add_column(Text(_printable(column)), justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(_printable(_cell(value, longest))) for value in row))
    # A table wider than the terminal wraps there; a narrower one would show "1,23…" for a number.
    console.width = max(console.width, console.measure(table, options=console.options.update(width=10_000)).maximum)
    console.print(table)


@contextmanager
def progress_bar(label: str, total: int) -> Generator[Callable[[int], None], None, None]:
    """A bar on stderr where that is a terminal, else nothing. What it yields takes the amount done since last told."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
    with progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.advance(task, done)


def working(label: str) -> Status:
    """A spinner on stderr where that is a terminal, for work that cannot say how far it is."""
    return Console(stderr=True).status(label) if sys.stderr.isatty() else Console(quiet=True).status(label)


def command_name() -> str:
    """How this command was called, as the next one can be: the name alone where it is on the PATH."""
    return "llm-cost" if shutil.which("llm-cost") else os.path.relpath(sys.argv[0])


def _cell(value: object, longest: int | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return f"{value:,f}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    text = str(value)
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def _printable(text: str) -> str:
    """Nothing in it moves the cursor or breaks a line."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
