"""Where a segment came from, kept in the footer of its own file: enough to make the manifest anew from segments alone.

How to read them:

- A segment whose file stands in another segment's `replaces` is not live: the other one holds what is left of it.
  It may only still wait to be deleted, or a crash came between the writing of the other and the swap.
- Where a segment's own `journal` still exists and the segments of its byte range are not there for all `days` (nor
  replaced), the crash came while they were written: none of them counts, sealing writes them again.
- How far a journal is sealed: to the highest end of all `byte_ranges`. A segment may hold no rows; then it says that
  its day was emptied, and that the journals' bytes it stands for are sealed all the same.
"""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import polars as pl

from tracking.errors import LedgerError
from warehouse.ledger.manifest import Conflict
from warehouse.ledger.segment_names import ByteRange

KEY = "llm_cost_ledger"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a segment's footer says of its making. `replaces` are paths below `usage/`, as `Segment.file` gives them."""

    journal: str | None = None
    journal_start: int | None = None
    journal_end: int | None = None
    days: tuple[date, ...] = ()
    """All days that its byte range made segments of; none where it was made of other segments."""
    covers: tuple[ByteRange, ...] = ()
    """Of one made of other segments: the byte ranges they came from, as far as their journals still existed."""
    replaces: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    @property
    def byte_ranges(self) -> tuple[ByteRange, ...]:
        """Every byte range of a journal that it stands for."""
        if self.journal is None or self.journal_start is None or self.journal_end is None:
            return self.covers
        return (ByteRange(self.journal, self.journal_start, self.journal_end),)

    def as_metadata(self) -> dict[str, str]:
        """The key-value metadata of a Parquet file."""
        content = {
            "version": VERSION,
            "journal": self.journal,
            "journal_start": self.journal_start,
            "journal_end": self.journal_end,
            "days": [day.isoformat() for day in self.days],
            "covers": [[byte_range.journal, byte_range.start, byte_range.end] for byte_range in self.covers],
            "replaces": self.replaces,
            "superseded": self.superseded,
            "conflicts": [[conflict.event_key, conflict.record_id] for conflict in self.conflicts],
        }
        return {KEY: json.dumps(content)}

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The provenance of a segment's file below `usage/`; `None` where an earlier version wrote it without.

        Raises:
            LedgerError: the file is no Parquet, or a newer version wrote it.
        """
        try:
            text = pl.read_parquet_metadata(path).get(KEY)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise LedgerError(f"segment {path} cannot be read: {error}") from error
        return None if text is None else cls._parse(path, json.loads(text))

    @classmethod
    def _parse(cls, path: Path, content: dict[str, Any]) -> Self:
        if content["version"] > VERSION:
            raise LedgerError(
                f"segment {path} has version {content['version']}, newer than this version can read ({VERSION})"
            )
        return cls(
            journal=content["journal"],
            journal_start=content["journal_start"],
            journal_end=content["journal_end"],
            days=tuple(date.fromisoformat(day) for day in content["days"]),
            covers=tuple(ByteRange(*byte_range) for byte_range in content["covers"]),
            replaces=tuple(content["replaces"]),
            superseded=tuple(content["superseded"]),
            conflicts=tuple(Conflict(*conflict) for conflict in content["conflicts"]),
        )
