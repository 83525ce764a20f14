"""Repair: the manifest plan anew from the segments alone, and what is damaged set apart, never dropped unsaid."""

import os
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path

import polars as pl

from tracking.durable_files import sync_directory
from tracking.errors import LedgerError
from tracking.home import Home
from tracking.money import EXACT
from warehouse.integrity.findings import Finding, Findings
from warehouse.integrity.repair_plan import DamagedFile, Plan, plan_repair
from warehouse.ledger.manifest import Manifest, QuarantinedLine, Segment
from warehouse.ledger.quarantine import DamagedEntryError, entries_of
from warehouse.ledger.segment_names import ByteRange, segment_file_of
from warehouse.ledger.segments import scan
from warehouse.locks import sealing
from warehouse.sealing.id_runs import read_run


@dataclass(frozen=True, slots=True)
class Totals:
    """What the live segments of a manifest sum to; USD, exact. NULL costs count as none."""

    segments: int
    rows: int
    requests: int
    token_count: int
    cost_usd: Decimal

    @classmethod
    def of(cls, segments: list[Segment]) -> "Totals":
        with localcontext(EXACT):
            return cls(
                len(segments),
                sum(segment.row_count for segment in segments),
                sum(segment.requests for segment in segments),
                sum(segment.token_count for segment in segments),
                sum((segment.cost_usd for segment in segments), Decimal(0)),
            )


@dataclass(slots=True)
class RepairReport:
    """What the manifest said before (`None` where it cannot be read), what it says now, and what was lost."""

    before: Totals | None
    after: Totals
    replaced: int = 0
    unfinished: int = 0
    leftovers: int = 0
    quarantined: int = 0
    losses: list[Finding] = field(default_factory=list[Finding])
    """Damaged files, which now lie in `quarantine/`, and segments that are gone, each with what is known of it."""
    kept_manifest: Path | None = None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the old manifest said, if it can be read, and the sums that the ids of what is sealed speak of."""

    segments: list[Segment] | None
    sums: dict[str, set[str]]


def repair(home: Home, *, dry_run: bool = False, progress: Callable[[int], None] | None = None) -> RepairReport:
    """Make the manifest anew from the segments; the old one is kept beside it. Doing it again makes the same.

    What is damaged goes to `quarantine/`. What of it still stands in a journal is sealed again by the next sealing.
    `progress` is told the bytes of segments done since it was told last. With `dry_run` nothing is changed.

    Raises:
        LedgerError: there is no ledger, or the disk refuses; then the old manifest is what it was.
    """
    home.settings()
    home.open()
    try:
        with sealing(home):
            evidence = _remember(home)
            plan = plan_repair(home, evidence.sums, progress or (lambda _: None))
            lines = _quarantined(home, plan)
            report = _report(home, evidence, plan, lines)
            if not dry_run:
                report.kept_manifest = _replace_manifest(home, plan, lines)
                _set_apart(home, plan)
    except OSError as error:
        raise LedgerError(f"repairing {error.filename or home.root} failed: {error.strerror or error}") from error
    return report


def _remember(home: Home) -> _Evidence:
    sums: defaultdict[str, set[str]] = defaultdict(set)
    for path in home.ids.glob("*.ids"):
        run = read_run(path)
        if run is not None and run.is_intact():
            for file, sha256 in run.holders:
                sums[file].add(sha256)
    segments = _segments_of_old(home) if home.manifest.exists() else None
    for segment in segments or ():
        sums[segment.file].add(segment.sha256)
    return _Evidence(segments, sums)


def _segments_of_old(home: Home) -> list[Segment] | None:
    try:
        with Manifest(home) as manifest:
            return manifest.segments()
    except (LedgerError, ValueError, ArithmeticError, sqlite3.Error):
        return None


def _quarantined(home: Home, plan: Plan) -> list[QuarantinedLine]:
    """The lines that quarantine keeps, but for those that are sealed again."""
    entries: dict[tuple[str, int], QuarantinedLine] = {}
    for file in sorted(home.quarantine.glob("*.jsonl")):
        if ByteRange.named(file.stem) is None:
            continue
        for _, entry in entries_of(file):
            if isinstance(entry, DamagedEntryError):
                continue
            journal = home.journal / entry.journal
            if not journal.exists() or entry.start < plan.sealed_ends.get(entry.journal, 0):
                entries[entry.journal, entry.start] = entry
    return list(entries.values())


def _report(home: Home, evidence: _Evidence, plan: Plan, lines: list[QuarantinedLine]) -> RepairReport:
    segments = [segment for segment, _ in plan.live]
    report = RepairReport(
        before=None if evidence.segments is None else Totals.of(evidence.segments),
        after=Totals.of(segments),
        replaced=len(plan.replaced_segments),
        unfinished=len(plan.unfinished),
        leftovers=len(plan.leftovers),
        quarantined=len(lines),
    )
    places = Findings(home)
    old_segments = {segment.file: segment for segment in evidence.segments or ()}
    for damage in plan.damaged_files:
        file = segment_file_of(damage.path)
        in_usage = damage.path.is_relative_to(home.usage)
        contents = _described(old_segments.get(file), damage) if in_usage else "it held prompts"
        report.losses.append(Finding(places.place(damage.path), f"is damaged ({damage.reason}); {contents}"))
    on_disk = {segment.file for segment in (*segments, *plan.replaced_segments, *plan.unfinished, *plan.leftovers)}
    on_disk |= {segment_file_of(damage.path) for damage in plan.damaged_files}
    for file in sorted(old_segments.keys() - on_disk):
        report.losses.append(Finding(places.place(home.usage / file), f"is missing; {_described(old_segments[file])}"))
    return report


def _described(segment: Segment | None, damage: DamagedFile | None = None) -> str:
    if segment is not None:
        return f"it held {segment.row_count:,} rows, {segment.requests:,} requests and {segment.cost_usd:,f} USD"
    try:
        rows = scan(damage.path, None).select(pl.len()).collect().item() if damage else None
    except (OSError, pl.exceptions.PolarsError):
        rows = None
    return "how many rows it held is not known" if rows is None else f"by its footer it held {rows:,} rows"


def _replace_manifest(home: Home, plan: Plan, lines: list[QuarantinedLine]) -> Path | None:
    """Write the new manifest apart, then put it in place of the old one, which stays beside it."""
    scratch = Home(tempfile.mkdtemp(prefix=".repair-", suffix=".tmp", dir=home.root))
    try:
        with Manifest(scratch) as manifest:
            _fill(manifest, plan, lines)
        old_manifest = _keep_old(home)
        scratch.manifest.replace(home.manifest)
        sync_directory(home.root)
    finally:
        shutil.rmtree(scratch.root)
    return old_manifest


def _fill(manifest: Manifest, plan: Plan, lines: list[QuarantinedLine]) -> None:
    conflicts = {each.record_id: each for _, provenance in plan.live for each in provenance.conflicts}
    manifest.fill(
        segments=[segment for segment, _ in plan.live],
        byte_ranges=[ByteRange(journal, 0, end) for journal, end in sorted(plan.sealed_ends.items())],
        quarantined=lines,
        conflicts=conflicts.values(),
        superseded={record_id for _, provenance in plan.live for record_id in provenance.superseded},
        retired=plan.replaced_segments,
    )


def _keep_old(home: Home) -> Path | None:
    """Keep the old manifest, and the rollback journal that SQLite would otherwise apply to the new one."""
    old_manifest = home.manifest.with_name(f"{home.manifest.name}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    rollback = home.manifest.with_name(f"{home.manifest.name}-journal")
    if rollback.exists():
        rollback.rename(f"{old_manifest}-journal")
    if not home.manifest.exists():
        return None
    os.link(home.manifest, old_manifest)
    return old_manifest


def _set_apart(home: Home, plan: Plan) -> None:
    for damage in plan.damaged_files:
        _to_quarantine(home, damage.path)
        if damage.path.is_relative_to(home.usage):
            _to_quarantine(home, home.prompts / damage.path.relative_to(home.usage))
    for segment in (*plan.unfinished, *plan.leftovers):
        (home.prompts / segment.file).unlink(missing_ok=True)
        (home.usage / segment.file).unlink()


def _to_quarantine(home: Home, path: Path) -> None:
    if path.exists():
        kind = path.parent.parent.name
        path.rename(home.quarantine / f"{kind}-{path.parent.name}-{path.name}")
        sync_directory(path.parent)
        sync_directory(home.quarantine)
