"""Following journals: the records of every writer as they come, from whole lines alone and without their prompts."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from tracking.errors import LedgerError
from tracking.home import Home
from tracking.journal.writer import decode_line
from warehouse.sealing.journal_records import whole_lines

Fields = dict[str, Any]

READ_BYTES = 4 << 20
BYTES_A_RECORD = 4096
"""Generously; so much of each journal's end is looked at for its last records."""
POLL_SECONDS = 0.2


class Tail:
    """Reads what journals hold, and what is appended to them. Sealing may delete a journal: what it held is still read.

    A context manager; it holds every journal open that it has seen and that still exists.
    """

    def __init__(self, home: Home) -> None:
        home.settings()
        self._home = home
        self._open: dict[Path, tuple[int, int]] = {}
        """Each journal's descriptor, and up to which byte it was read."""

    def __enter__(self) -> "Tail":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor, _read_to in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def last(self, count: int) -> list[Fields]:
        """The last records that are in journals still, oldest first; what comes after them is read next."""
        look_at = max(READ_BYTES, count * BYTES_A_RECORD)
        lines: list[Fields] = []
        for path in self._home.journals():
            if (descriptor := _opened(path)) is not None:
                self._open[path] = (descriptor, max(os.fstat(descriptor).st_size - look_at, 0))
                # Where that is within a line, what is left of it has no right checksum.
                lines += self._read(path)
        return sorted(lines, key=_recorded_at)[-count:] if count else []

    def new(self) -> list[Fields]:
        """What came since the last look, oldest first."""
        paths = set(self._home.journals())
        for path in paths - self._open.keys():
            if (descriptor := _opened(path)) is not None:
                self._open[path] = (descriptor, 0)
        found = [fields for path in list(self._open) for fields in self._read(path)]
        for path in self._open.keys() - paths:
            os.close(self._open.pop(path)[0])
        return sorted(found, key=_recorded_at)

    def follow(self) -> Iterator[Fields]:
        """Records for ever, as they come."""
        while True:
            yield from self.new()
            time.sleep(POLL_SECONDS)

    def _read(self, path: Path) -> list[Fields]:
        descriptor, start = self._open[path]
        lines: list[Fields] = []
        while chunk := whole_lines(descriptor, start, os.fstat(descriptor).st_size, READ_BYTES):
            lines += [fields for line in chunk.splitlines() if (fields := _record(line)) is not None]
            start += len(chunk)
        self._open[path] = (descriptor, start)
        return lines


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"journal {path} cannot be read: {error.strerror}") from error


def _record(line: bytes) -> Fields | None:
    """The fields of a record's line but for its prompt; `None` where it is damaged or no record."""
    content = decode_line(line)
    try:
        fields = None if content is None else json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or "record_id" not in fields or "recorded_at" not in fields:
        return None
    record = cast(Fields, fields)
    record.pop("prompt", None)
    return record


def _recorded_at(fields: Fields) -> str:
    # A whole second is written without a fraction, and the zone would sort behind one.
    return str(fields["recorded_at"]).removesuffix("Z")
