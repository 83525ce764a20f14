"""What is behind an error of a library that speaks of what it was doing: a disk without room, a file in other hands."""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import ValidationError

DISK = {
    re.compile(r"No space left on device|os error 28|Disk quota exceeded|disk is full", re.IGNORECASE): (
        "no space is left on the disk"
    ),
    re.compile(r"Input/output error|os error 5\b|disk I/O error", re.IGNORECASE): "the disk fails",
    re.compile(r"Read-only file system|os error 30\b", re.IGNORECASE): "the disk is read-only",
    re.compile(r"File too large|os error 27\b"): "no file may grow further here (RLIMIT_FSIZE or the file system)",
}
"""What libraries and programs say of a disk, by the words of the system, and what is the matter with it."""
HOLDER = re.compile(r"Conflicting lock is held in (.*?\(PID \d+\))")


def disk_problem(error: BaseException | str) -> str | None:
    """What is the matter with the disk, where that is behind an error; `None` where something else is."""
    said = str(error)
    return next((problem for words, problem in DISK.items() if words.search(said)), None)


def disk_line(said: str) -> str | None:
    """Of all that a program said, the line about the disk, its cause first; `None` where none is."""
    lines = (line.strip() for line in said.splitlines())
    return next((in_one_line(line) for line in lines if disk_problem(line)), None)


def is_held(error: BaseException) -> bool:
    """Whether another process has the database open."""
    return "Could not set lock on file" in str(error)


def in_one_line(error: BaseException | str) -> str:
    """What an error says, its cause first."""
    said = str(error).strip().splitlines()
    first = said[0] if said else type(error).__name__
    if (problem := disk_problem(error)) is not None:
        return f"{problem} ({first})"
    if isinstance(error, BaseException) and is_held(error):
        holder = HOLDER.search(str(error))
        return f"another process has it open{f': {holder[1]}' if holder else ''}; close it there"
    return first


def _hidden(field: object, value: object) -> str:
    return ""


def problems(error: ValidationError, show: Callable[[object, object], str] = _hidden) -> list[str]:
    """What is wrong with what a user wrote, a line a field: which, and why.

    `show` gives what may be said of a field's value, such as " is 3"; without it no value is repeated. A key with a
    slash may be a URL, and is not repeated either.
    """
    return [_problem(cast("Mapping[str, Any]", each), show) for each in error.errors(include_url=False)]


def first_problem(error: ValidationError, show: Callable[[object, object], str] = _hidden) -> str:
    """The first of `problems`."""
    return problems(error, show)[0]


def _problem(details: Mapping[str, Any], show: Callable[[object, object], str]) -> str:
    place = ".".join("…" if "/" in str(part) else str(part) for part in details["loc"])
    if details["type"] == "union_tag_invalid":  # its message repeats what was given, whatever that is
        tag, expected = details["ctx"]["discriminator"].strip("'"), details["ctx"]["expected_tags"]
        return f"{place}.{tag}{show(tag, details['ctx']['tag'])}: expected one of {expected}"
    field = details["loc"][-1] if details["loc"] else ""
    reason = details["msg"].removeprefix("Value error, ")
    return f"{place}{show(field, details['input'])}: {reason}".removeprefix(": ")
