"""Retention: rows and prompts go when their day is too old, wherever they are kept.

By whole UTC days. A day's rows go with its prompts, with what is noted of them in the manifest, and with their lines in
journals of living writers; in place of its segments stays one without rows, until nothing could bring them back. What
was derived from them goes with the next build. What quarantine keeps goes by when it was last written to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from itertools import groupby

import polars as pl

from tracking.book_settings import Retention
from tracking.durable_files import sync_directory
from tracking.errors import LedgerError
from tracking.home import Home
from tracking.money import EXACT
from warehouse.ledger.footer import Provenance
from warehouse.ledger.manifest import Manifest, QuarantinedLine, Segment
from warehouse.ledger.overwrite import Fields, blank_sealed_lines
from warehouse.ledger.quarantine import entries_of
from warehouse.ledger.rewrite import Rewriting, rewrite
from warehouse.ledger.segment_names import SegmentKind, day_folders, day_of
from warehouse.ledger.segments import scan
from warehouse.ledger.tidy import remove_leftovers
from warehouse.locks import sealing
from warehouse.privacy.kept_lines import change_entries, files_older_than, remove, without_prompt
from warehouse.sealing.seal import seal


@dataclass(frozen=True, slots=True)
class ExpiredDay:
    """What of one day is too old: all of it, or its prompts alone (`rows` is 0). USD exact; bytes on disk."""

    day: date
    rows: int
    requests: int
    cost_usd: Decimal
    prompts: int
    bytes: int


@dataclass(slots=True)
class RetentionReport:
    """What went, or would go. `kept_files` are those of quarantine."""

    days: list[ExpiredDay] = field(default_factory=list[ExpiredDay])
    kept_files: int = 0


def retain(
    home: Home,
    retention: Retention,
    *,
    today: date | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> RetentionReport:
    """Remove what is older than `retention` says, counted in days before `today` (UTC). Repeating it changes nothing.

    What was recorded is sealed first, with `dry_run` too, as by every reader of segments. `progress` is told the
    segments done since it was told last.

    Raises:
        LedgerError: there is no ledger, or a file of it cannot be used; the days done before stay done.
    """
    seal(home)
    now = today or datetime.now(UTC).date()
    rows_before, prompts_before = _before(now, retention.rows_days), _before(now, retention.prompts_days)
    report = RetentionReport()
    try:
        with sealing(home), Manifest(home) as manifest:
            if not dry_run:
                remove_leftovers(home, manifest)
            for day, segments in _by_day(manifest.segments()):
                rows = day < rows_before and any(segment.row_count for segment in segments)
                if rows or (day < prompts_before and any(segment.prompts for segment in segments)):
                    report.days.append(_expired(home, segments, rows=rows))
                    if not dry_run:
                        _expire(home, manifest, segments, rows=rows)
                if progress:
                    progress(len(segments))
            report.kept_files = sum(1 for _ in files_older_than(home, _midnight(rows_before)))
            if not dry_run:
                _remove_prompt_files(home, max(rows_before, prompts_before))
                blank_sealed_lines(home, manifest, _older_than(max(rows_before, prompts_before)))
                _expire_quarantine(home, manifest, rows_before, prompts_before)
    except OSError as error:
        raise LedgerError(f"retention in {error.filename or home.root} failed: {error.strerror or error}") from error
    return report


def _before(today: date, days: int | None) -> date:
    """The first day that is kept."""
    return date.min if days is None or days >= today.toordinal() else today - timedelta(days=days)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _by_day(segments: Sequence[Segment]) -> list[tuple[date, list[Segment]]]:
    return [(day, list(live)) for day, live in groupby(segments, key=lambda segment: segment.usage_date)]


def _expire(home: Home, manifest: Manifest, segments: list[Segment], *, rows: bool) -> None:
    if rows:
        manifest.forget_findings(*_findings(home, manifest, segments))
        rewrite(home, manifest, segments, Rewriting(SegmentKind.RETAINED, keep_rows=False))
    else:
        manifest.drop_prompts(segments[0].usage_date)


def _expired(home: Home, segments: list[Segment], *, rows: bool) -> ExpiredDay:
    prompt_files = [home.prompts / segment.file for segment in segments if segment.prompts]
    prompt_bytes = sum(file.stat().st_size for file in prompt_files)
    with localcontext(EXACT):
        return ExpiredDay(
            day=segments[0].usage_date,
            rows=sum(segment.row_count for segment in segments) if rows else 0,
            requests=sum(segment.requests for segment in segments) if rows else 0,
            cost_usd=sum((segment.cost_usd for segment in segments), Decimal(0)) if rows else Decimal(0),
            prompts=sum(segment.prompts for segment in segments),
            bytes=prompt_bytes + (sum(segment.bytes for segment in segments) if rows else 0),
        )


def _findings(home: Home, manifest: Manifest, segments: list[Segment]) -> tuple[set[str], set[str]]:
    """What the manifest notes of rows that go: the conflicting among them, and those superseded before they were."""
    files = [home.usage / segment.file for segment in segments]
    superseded_ids: set[str] = set()
    conflicting = [conflict.record_id for conflict in manifest.conflicts()]
    rows = scan(files).select("record_id").filter(pl.col("record_id").is_in(conflicting))
    conflicting_ids = set(rows.collect()["record_id"])
    for provenance in filter(None, map(Provenance.read, files)):
        conflicting_ids |= {conflict.record_id for conflict in provenance.conflicts}
        superseded_ids |= set(provenance.superseded)
    return conflicting_ids, superseded_ids


def _remove_prompt_files(home: Home, before: date) -> None:
    """Nobody reads prompts but by the manifest, which no longer names these: they need not wait."""
    for folder in day_folders(home.prompts):
        if day_of(folder) < before:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
            sync_directory(home.prompts)


def _older_than(day: date) -> Callable[[Fields], bool]:
    def expired(fields: Fields) -> bool:
        occurred_at = fields.get("occurred_at")
        return occurred_at is not None and datetime.fromisoformat(occurred_at).astimezone(UTC).date() < day

    return expired


def _expire_quarantine(home: Home, manifest: Manifest, rows_before: date, prompts_before: date) -> None:
    for file in files_older_than(home, _midnight(rows_before)):
        manifest.forget_quarantined(entry for _, entry in entries_of(file) if isinstance(entry, QuarantinedLine))
        remove(home, file)
    for file in files_older_than(home, _midnight(prompts_before)):
        change_entries(file, without_prompt)
