"""Calls of which nothing could be written, counted where it is seen later: a disk may have room for a line again."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from tracking.durable_files import create_file, write_all


class LostCalls:
    """Counts them, and appends what was counted to one file of the home as soon as that can be written."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._told = 0

    def add(self) -> None:
        self.count += 1
        self.tell()

    def tell(self) -> None:
        """Append how many were lost since the last time; where the disk refuses that too, the next one tells of all."""
        if self.count == self._told:
            return
        count = self.count
        line = json.dumps({"at": datetime.now(UTC).isoformat(), "calls": count - self._told}).encode() + b"\n"
        try:
            try:
                descriptor = create_file(self._path, os.O_APPEND)
            except FileExistsError:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                write_all(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError:
            return
        self._told = count


def lost_calls(path: Path) -> int:
    """How many calls a home's file tells of."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return 0
    total = 0
    for line in lines:
        try:
            total += int(json.loads(line)["calls"])
        except (ValueError, TypeError, KeyError):  # half a line of a disk that was full
            total += 1
    return total
