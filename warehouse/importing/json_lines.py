"""Files of JSON, one value a line, read line by line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from warehouse.importing.calls import BadLineError, ImportFileError


@dataclass(frozen=True, slots=True)
class JsonLine:
    """`number` counts from 1; `size` is its bytes with blank lines before it; a whole one ends with a newline."""

    number: int
    content: bytes
    size: int
    is_whole: bool = True

    def value(self) -> object:
        """What it says.

        Raises:
            BadLineError: no JSON; the place is named, and nothing of the line.
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            # The decoder's own message may quote the line.
            place = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            raise BadLineError(f"not valid JSON{place}") from None

    def fields(self) -> dict[str, Any]:
        """The object it is.

        Raises:
            BadLineError: no JSON, or no object.
        """
        value = self.value()
        if not isinstance(value, dict):
            raise BadLineError(f"a {type(value).__name__}, expected an object")
        return cast("dict[str, Any]", value)


def json_lines(file: Path) -> Iterator[JsonLine]:
    """Every line that is not blank."""
    with file.open("rb") as lines:
        size = 0
        for number, line in enumerate(lines, start=1):
            size += len(line)
            if line.strip():
                yield JsonLine(number, line.rstrip(b"\r\n"), size, line.endswith(b"\n"))
                size = 0


def check_last_line(file: Path) -> None:
    """Refuse a file whose last line is cut off.

    Raises:
        ImportFileError: it is.
    """
    number, last = 0, b"\n"
    with file.open("rb") as lines:
        for line in lines:
            number, last = number + 1, line
    if not last.endswith(b"\n"):
        try:
            JsonLine(number, last, len(last)).value()
        except BadLineError:
            raise ImportFileError(f"{file} is cut off in line {number}; nothing was imported") from None


def first_object(file: Path) -> dict[str, Any]:
    """The first line's object, by which a format is known; empty where it is none."""
    for line in json_lines(file):
        try:
            return line.fields()
        except BadLineError:
            break
    return {}


def object_in(value: object) -> dict[str, Any]:
    """A value that is an object; else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
