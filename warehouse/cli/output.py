"""How commands speak: tables for people, JSON for programs, errors in one line on stderr.

Everything goes through here, and nothing of it moves a cursor, colours a terminal or turns a line's direction,
whatever the names in a ledger hold.
"""

import json
import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, BinaryIO, cast
from unicodedata import category

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.status import Status
from rich.table import Table
from rich.text import Text

from tracking.home import Home
from tracking.settings import ProcessSettings

NOT_PLAIN = re.compile(r"[^\x20-\x7e]")
"""What a terminal may take otherwise than it stands there, and so is looked at."""

HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what moves a cursor, breaks a line, turns its direction or hides."""

JOINERS = "\u200c\u200d"
"""The formats that names and emoji are written with, and that stay within them."""

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
    Console(highlight=False, soft_wrap=True, stderr=to_stderr).print(printable(text), markup=False, emoji=False)


def say_at_once(text: str) -> None:
    """One line on stdout that is there when this returns, for a stream of them."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    sys.stderr.write(f"llm-cost: {printable(' '.join(text.split()))}\n")


def say_json(value: object) -> None:
    """A value as JSON that every parser takes: money is decimal text, and so are NaN and the infinities."""
    sys.stdout.write(json_text(value, indent=1) + "\n")


def json_text(value: object, indent: int | None = None) -> str:
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, indent=indent)
    # Nothing but the indentation stands outside of JSON's strings, where an escape is the character itself.
    return "\n".join(NOT_PLAIN.sub(_escaped, line) for line in text.split("\n"))


def say_csv(file: BinaryIO) -> None:
    """A CSV file on stdout, for people and programs; only a file of its own holds control characters as they are."""
    for line in file:
        cells = line.decode().removesuffix("\n").split("\t")
        sys.stdout.buffer.write(("\t".join(map(printable, cells)) + "\n").encode())
    sys.stdout.flush()


def say_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None, *, to_stderr: bool = False
) -> None:
    """A table for a person. Numbers stand right; NULL is a dash, never a zero. No digit is ever cut off."""
    rows = list(rows)
    console = Console(highlight=False, stderr=to_stderr)
    longest = LONGEST_TEXT if console.is_terminal else None
    shown = None if title is None else Text(printable(title))
    table = Table(title=shown, title_justify="left", header_style="bold", title_style="bold")
    for position, column in enumerate(columns):
        numeric = any(isinstance(row[position], int | Decimal | float) for row in rows)
        table.add_column(Text(printable(column)), justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(_cell(value, longest))) for value in row))
    show_table(table, console)


def show_table(table: Table, console: Console | None = None) -> None:
    """A table whose cells are `printable` already."""
    console = console or Console(highlight=False)
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
    text = Text(printable(label))
    return Console(stderr=True).status(text) if sys.stderr.isatty() else Console(quiet=True).status(text)


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


def printable(text: str) -> str:
    """A text as it can be shown: what is harmful in it is a replacement character."""
    return NOT_PLAIN.sub(lambda each: "�" if _is_harmful(each.group()) else each.group(), text)


def _is_harmful(character: str) -> bool:
    return category(character) in HARMFUL and character not in JOINERS


def _plain(value: object) -> object:
    """What JSON has for a value: keys of objects are text, as is everything that is no number."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {f"{_plain(key)}": _plain(each) for key, each in cast("dict[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[object]", value)]
    return _as_text(value)


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)


def _escaped(character: re.Match[str]) -> str:
    text = character.group()
    return json.dumps(text)[1:-1] if _is_harmful(text) else text
