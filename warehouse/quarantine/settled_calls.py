"""Refused calls that were replayed or discarded: noted first, then taken out of quarantine.

A note holds nothing of a person: when, by whom and why a call was settled, and by what reports count it. Whatever was
noted counts as settled, so a crash before its line is gone changes nothing; the next settling takes it out.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracking.durable_files import create_file, replace_file, sync_directory, write_all
from tracking.home import Home
from tracking.journal.quarantine import taking_apart

SETTLED = "settled.jsonl"
"""In `quarantine/`."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one refused call. `said` is by what reports count it."""

    id: str
    state: str
    settled_at: str
    by: str
    why: str | None
    said: Mapping[str, Any]


def settlements(home: Home) -> dict[str, Settlement]:
    """Every call that was settled, by its id; the first word counts. A half-written last line is none."""
    by_id: dict[str, Settlement] = {}
    file = home.quarantine / SETTLED
    if not file.exists():
        return by_id
    for line in file.read_bytes().splitlines():
        try:
            note = json.loads(line)
            settlement = Settlement(**note)
        except (ValueError, TypeError):
            continue
        by_id.setdefault(settlement.id, settlement)
    return by_id


def note(home: Home, additions: Iterable[Settlement]) -> None:
    """Remember for good what became of calls. Call it while holding the sealing lock."""
    file = home.quarantine / SETTLED
    try:
        descriptor = create_file(file, os.O_APPEND)
    except FileExistsError:
        descriptor = os.open(file, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        # A crash may have left half a line.
        start = b"\n" if size and file.read_bytes()[-1:] != b"\n" else b""
        lines = [json.dumps({name: getattr(each, name) for name in each.__slots__}) + "\n" for each in additions]
        write_all(descriptor, start + "".join(lines).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(home.quarantine)


def take_out(file: Path, is_settled: Callable[[bytes], bool]) -> int:
    """Take the lines that are settled out of one file of quarantine, and the file with its last one; returns how many.

    Its age stays. Who appends to it meanwhile goes to another file.
    """
    with taking_apart(file):
        times = file.stat()
        lines = file.read_bytes().splitlines(keepends=True)
        unsettled_lines = [line for line in lines if not is_settled(line)]
        if len(unsettled_lines) == len(lines):
            return 0
        if any(line.strip() for line in unsettled_lines):
            replace_file(file, b"".join(unsettled_lines))
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        else:
            file.unlink()
            sync_directory(file.parent)
    return len(lines) - len(unsettled_lines)
