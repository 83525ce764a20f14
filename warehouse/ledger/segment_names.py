"""What segments, and other files made from a range of a journal's bytes, are called: written and read here alone."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Self

DAY_FOLDER = "usage_date="
SEGMENT_FILE = re.compile(DAY_FOLDER + r"[0-9]{4}-[0-9]{2}-[0-9]{2}/[^/']+\.parquet")
"""The path of a segment's file below `usage/` or `prompts/`, within any text."""


class SegmentKind(StrEnum):
    """Why a segment was made of others; the first word of its name."""

    COMPACTED = "compacted"
    RETAINED = "retained"
    ERASED = "erased"


REWRITTEN_NAME = re.compile(rf"({'|'.join(SegmentKind)})-[0-9a-f]{{32}}")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of bytes of one journal, from `start` up to but not including `end`."""

    journal: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """What segments and quarantine files made from it are called: sealing it again overwrites the same files."""
        return f"{self.journal.removesuffix('.log')}-{self.start}-{self.end}"

    @classmethod
    def named(cls, name: str) -> Self | None:
        """The range that files of this name were made from; `None` where they were made otherwise."""
        parts = re.fullmatch(r"(.+)-([0-9]+)-([0-9]+)", name)
        return None if parts is None else cls(f"{parts[1]}.log", int(parts[2]), int(parts[3]))

    def contains(self, other: "ByteRange") -> bool:
        return self.journal == other.journal and self.start <= other.start and self.end >= other.end


def segment_file(day: date, name: str) -> str:
    """The path of a segment's files below `usage/` and `prompts/`."""
    return f"{DAY_FOLDER}{day.isoformat()}/{name}.parquet"


def segment_file_of(path: Path) -> str:
    """That path of a file which lies there."""
    return f"{path.parent.name}/{path.name}"


def day_of(folder: Path) -> date:
    """The day of a folder below `usage/` or `prompts/`; ValueError where it is another's."""
    return date.fromisoformat(folder.name.removeprefix(DAY_FOLDER))


def day_folders(folder: Path, day: date | None = None) -> Iterator[Path]:
    """The folders of all days, or of one, below `usage/` or `prompts/`, as far as they are there."""
    yield from sorted(folder.glob(f"{DAY_FOLDER}{'*' if day is None else day.isoformat()}"))


def segment_paths(folder: Path, day: date | None = None) -> Iterator[Path]:
    """The files of segments below `usage/` or `prompts/`, live or not, of every day or of one."""
    for of_day in day_folders(folder, day):
        yield from sorted(of_day.glob("*.parquet"))


def rewritten_name(kind: SegmentKind, members: Iterable[tuple[str, str]]) -> str:
    """The name of a segment made of others, each given by file and SHA-256: for the same ones always the same."""
    lines = "\n".join(sorted(f"{file} {sha256}" for file, sha256 in members))
    return f"{kind}-{hashlib.sha256(lines.encode()).hexdigest()[:32]}"


def is_rewritten(name: str) -> bool:
    """Whether a segment of this name was made of others."""
    return REWRITTEN_NAME.fullmatch(name) is not None
