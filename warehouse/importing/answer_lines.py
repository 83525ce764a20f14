"""JSON lines of providers' answers: `{"provider", "response"}`, and what the call was for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from warehouse.importing.calls import FIELDS, BadLineError, ImportFileError, SourceCall
from warehouse.ledger.unreadable_lines import salvaged


class AnswerLines:
    """A line is one call. A field that is null is not there; blank lines are no calls."""

    def check(self, file: Path) -> None:
        number, last = 0, b"\n"
        with file.open("rb") as lines:
            for line in lines:
                number, last = number + 1, line
        if not last.endswith(b"\n"):
            try:
                _decoded(last)
            except BadLineError:
                raise ImportFileError(f"{file} is cut off in line {number}; nothing was imported") from None

    def calls(self, file: Path) -> Iterator[SourceCall]:
        with file.open("rb") as lines:
            size = 0
            for number, line in enumerate(lines, start=1):
                size += len(line)
                if line.strip():
                    yield _call_of(number, line.rstrip(b"\r\n"), size)
                    size = 0


def _call_of(number: int, line: bytes, size: int) -> SourceCall:
    try:
        fields = _decoded(line)
        if not isinstance(fields, dict):
            raise BadLineError(f"a {type(fields).__name__}, expected an object")
    except BadLineError as fault:
        return SourceCall(number, line, size, salvaged(line.decode(errors="replace")), fault)
    named = {name: value for name, value in cast("dict[str, Any]", fields).items() if value is not None}
    return SourceCall(number, line, size, named, _fault_of(cast("dict[str, Any]", fields), named))


def _fault_of(fields: dict[str, Any], named: dict[str, Any]) -> BadLineError | None:
    if unknown := fields.keys() - FIELDS:
        return BadLineError(f"unknown field {min(unknown)[:40]!r}")
    if not isinstance(named.get("response"), dict):
        return BadLineError("field 'response' is missing or not an object")
    for name, kind, expected in (("provider", str, "a text"), ("model", str, "a text"), ("tags", dict, "an object")):
        if name in named and not isinstance(named[name], kind):
            return BadLineError(f"field {name!r} is a {type(named[name]).__name__}, expected {expected}")
    return None


def _decoded(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        # The decoder's own message may quote the line.
        place = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadLineError(f"not valid JSON{place}") from None
