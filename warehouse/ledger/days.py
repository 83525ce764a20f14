"""The ledger's days (UTC): what the live segments of each sum to, and on which days something derived is stale."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

from tracking.home import Home
from tracking.money import EXACT
from warehouse.ledger.manifest import Manifest, Segment

MEASURES_VERSION = "2"
"""Of what a day's sums mean: since the second, failed calls that used nothing are not unpriced."""


@dataclass(frozen=True, slots=True)
class SealedDay:
    """What the live segments of one day sum to. `cost_usd` is exact USD; `fingerprint` changes with the segments."""

    usage_date: date
    fingerprint: str
    segments: int
    row_count: int
    requests: int
    token_count: int
    cost_usd: Decimal
    micro_usd: int
    unpriced_requests: int
    bytes: int


def sealed_days(home: Home) -> dict[date, SealedDay]:
    """Every day that has rows, in order, as the manifest says now."""
    with Manifest(home) as manifest:
        return days_of(manifest.segments(), home.settings().reporting_timezone)


def today_of(home: Home) -> date:
    """The date it is now where the reports are read. Rows dated later are of a wrong clock."""
    return datetime.now(ZoneInfo(home.settings().reporting_timezone)).date()


def days_of(segments: Iterable[Segment], reporting_timezone: str) -> dict[date, SealedDay]:
    """Segments by day, in order. One without rows only remembers that its day was emptied."""
    days: dict[date, list[Segment]] = defaultdict(list)
    for segment in segments:
        if segment.row_count:
            days[segment.usage_date].append(segment)
    return {day: _summed(day, days[day], reporting_timezone) for day in sorted(days)}


def _summed(day: date, segments: list[Segment], reporting_timezone: str) -> SealedDay:
    with localcontext(EXACT):
        cost_usd = sum((segment.cost_usd for segment in segments), Decimal(0))
    return SealedDay(
        day,
        _fingerprint(segments, reporting_timezone),
        len(segments),
        sum(segment.row_count for segment in segments),
        sum(segment.requests for segment in segments),
        sum(segment.token_count for segment in segments),
        cost_usd,
        sum(segment.micro_usd for segment in segments),
        sum(segment.unpriced_requests for segment in segments),
        sum(segment.bytes for segment in segments),
    )


def _fingerprint(segments: list[Segment], reporting_timezone: str) -> str:
    """Changes whenever what a report says of the day could: its files, the zone reports are in, what is counted."""
    parts = [MEASURES_VERSION, reporting_timezone, *sorted(f"{segment.name} {segment.sha256}" for segment in segments)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def fingerprints(days: Mapping[date, SealedDay]) -> dict[date, str]:
    return {day: sealed.fingerprint for day, sealed in days.items()}


def stale_days(derived: Mapping[date, str], ledger: Mapping[date, str]) -> dict[date, str | None]:
    """The days on which what was derived is not of the ledger as it is, in order: they are new, changed, or gone.

    Fingerprints by day; returned is what a day has now, `None` where it is gone. The models find the same days in SQL,
    by the macros of `changed_days.sql`.
    """
    days = sorted(derived.keys() | ledger.keys())
    return {day: ledger.get(day) for day in days if derived.get(day) != ledger.get(day)}
