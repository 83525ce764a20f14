"""JSON lines of providers' answers: `{"provider", "response"}`, and what the call was for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from warehouse.importing.calls import FIELDS, BadLineError, SourceCall
from warehouse.importing.json_lines import JsonLine, check_last_line, json_lines
from warehouse.ledger.unreadable_lines import salvaged


class AnswerLines:
    """A line is one call. A field that is null is not there."""

    def check(self, file: Path) -> None:
        check_last_line(file)

    def calls(self, file: Path) -> Iterator[SourceCall]:
        return map(_call_of, json_lines(file))


def _call_of(line: JsonLine) -> SourceCall:
    try:
        fields = line.fields()
    except BadLineError as fault:
        return SourceCall(line.number, line.content, line.size, salvaged(line.content.decode(errors="replace")), fault)
    return SourceCall(line.number, line.content, line.size, fields, _fault_of(fields))


def _fault_of(fields: dict[str, Any]) -> BadLineError | None:
    present_fields = {name: value for name, value in fields.items() if value is not None}
    if unknown := fields.keys() - FIELDS:
        return BadLineError(f"unknown field {min(unknown)[:40]!r}")
    if not isinstance(present_fields.get("response"), dict):
        return BadLineError("field 'response' is missing or not an object")
    for name, kind, expected in (("provider", str, "a text"), ("model", str, "a text"), ("tags", dict, "an object")):
        if name in present_fields and not isinstance(present_fields[name], kind):
            return BadLineError(f"field {name!r} is a {type(present_fields[name]).__name__}, expected {expected}")
    return None
