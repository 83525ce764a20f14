"""Compaction: the small segments of a day become one, with the same rows. No report changes by it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.rewrite import Rewriting, rewrite
from warehouse.ledger.segment_names import SegmentKind
from warehouse.ledger.tidy import remove_leftovers
from warehouse.locks import sealing

LARGE_BYTES = 256 * 1024 * 1024
"""A segment this large gains nothing by being merged, and would be written again each time."""

MANY_SEGMENTS = 9
"""Small segments of a closed day from which on a build compacts it by itself."""


@dataclass(frozen=True, slots=True)
class CompactedDay:
    """What became of one day. Bytes are those of usage files; rows stay what they were."""

    day: date
    segments: int
    rows: int
    bytes_before: int
    bytes_after: int


@dataclass(slots=True)
class CompactionReport:
    """The days whose small segments are one now."""

    days: list[CompactedDay] = field(default_factory=list[CompactedDay])


def compact(
    home: Home,
    *,
    day: date | None = None,
    before: date | None = None,
    min_segments: int = 2,
    progress: Callable[[int], None] | None = None,
) -> CompactionReport:
    """Merge the small segments of `day`, of every day before `before`, or of every day, where there are enough.

    The old files stay until no reader can need them; see `warehouse.ledger.tidy`. `progress` is told the rows done
    since it was told last. Repeating it changes nothing.

    Raises:
        LedgerError: there is no ledger, or a segment is not what was sealed; the days done before stay done.
    """
    home.settings()
    report = CompactionReport()
    for due_day in days_to_compact(home, day=day, before=before, min_segments=min_segments):
        try:
            # One day at a time: sealing need not wait for all of them.
            with sealing(home), Manifest(home) as manifest:
                remove_leftovers(home, manifest, due_day)
                segments = _small_segments(manifest).get(due_day, [])
                if len(segments) >= max(min_segments, 2):
                    new_segment = rewrite(home, manifest, segments, Rewriting(SegmentKind.COMPACTED))
                    before_bytes = sum(segment.bytes for segment in segments)
                    report.days.append(
                        CompactedDay(due_day, len(segments), new_segment.row_count, before_bytes, new_segment.bytes)
                    )
        except OSError as error:
            raise LedgerError(f"compacting {error.filename or home.root} failed: {error.strerror or error}") from error
        if progress:
            progress(sum(segment.row_count for segment in segments))
    return report


def compact_closed_days(home: Home) -> CompactionReport:
    """What a build does by itself: days that are over, where many small segments have gathered."""
    return compact(home, before=datetime.now(UTC).date(), min_segments=MANY_SEGMENTS)


def days_to_compact(
    home: Home, *, day: date | None = None, before: date | None = None, min_segments: int = 2
) -> dict[date, int]:
    """The days that have enough small segments now, and how many rows those hold."""
    with Manifest(home) as manifest:
        small = _small_segments(manifest)
    return {
        found: sum(segment.row_count for segment in segments)
        for found, segments in small.items()
        if len(segments) >= max(min_segments, 2) and day in (None, found) and (before is None or found < before)
    }


def _small_segments(manifest: Manifest) -> dict[date, list[Segment]]:
    days: dict[date, list[Segment]] = defaultdict(list)
    for segment in manifest.segments():
        if segment.bytes < LARGE_BYTES:
            days[segment.usage_date].append(segment)
    return days
