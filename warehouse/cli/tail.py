"""The command that shows records as they come: tail."""

import os
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from warehouse.cli.output import HomeOption, JsonOption, home_of, json_text, say_at_once
from warehouse.sealing.tail import Tail

COLUMNS = (
    ("time (UTC)", 19),
    ("user", 16),
    ("trackable", 20),
    ("request type", 22),
    ("model", 24),
    ("tokens", -9),
    ("USD", -18),
)
"""Each column's name and width; a negative one is to the right."""


def register(app: typer.Typer) -> None:
    app.command(name="tail", epilog="Example: llm-cost tail --follow --json | jq .cost_usd")(tail)


def tail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with every new record.")] = False,
    number: Annotated[int, typer.Option("--number", "-n", min=0, help="How many of the last records.")] = 10,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last calls recorded, from the journals of living writers and all that is not sealed yet.

    Prompts are never shown. With --json each record is one line.
    """
    with Tail(home_of(home)) as journals:
        try:
            last = journals.last(number)
            if not as_json:
                say_at_once(_aligned(name for name, _ in COLUMNS))
            _show(last, as_json=as_json)
            if follow:
                _show(journals.follow(), as_json=as_json)
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:
            # Whoever read has enough. Python would complain once more when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(records: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    for fields in records:
        say_at_once(json_text(fields) if as_json else _row(fields))


def _row(fields: dict[str, Any]) -> str:
    tokens = fields.get("token_count")
    return _aligned(
        (
            str(fields["recorded_at"])[:19].replace("T", " "),
            fields.get("user_id"),
            f"{fields.get('trackable_type')}:{fields.get('trackable_id')}",
            fields.get("request_type"),
            fields.get("llm") or fields.get("model"),
            None if tokens is None else f"{tokens:,}",
            fields.get("cost_usd"),
        )
    )


def _aligned(cells: Iterable[str | None]) -> str:
    texts = ("–" if cell is None else cell for cell in cells)
    pairs = zip(texts, (width for _, width in COLUMNS), strict=True)
    return "  ".join(text.ljust(width) if width > 0 else text.rjust(-width) for text, width in pairs)
