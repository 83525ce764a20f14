"""Verification: is every byte that was recorded accounted for, and every file what it was when it was written?

The manifest and the names of files are read while no sealing runs; what they say is then checked beside writers,
sealers and builds. What was replaced meanwhile is no problem.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from tracking.money import EXACT
from warehouse.database import connect
from warehouse.integrity.findings import Finding, Findings
from warehouse.integrity.verify_files import (
    note_leftovers,
    verify_ids,
    verify_journal,
    verify_modes,
    verify_prices,
    verify_quarantine,
)
from warehouse.integrity.verify_segments import SegmentVerifier
from warehouse.ledger.manifest import Conflict, Manifest, QuarantinedLine, Segment
from warehouse.locks import sealing
from warehouse.published.coverage import Books, Part, books_of
from warehouse.published.proof import prove
from warehouse.published.read import open_warehouse
from warehouse.quarantine.refused_calls import State, refused_calls
from warehouse.quarantine.standing import standing_refusals
from warehouse.sources.ledger import create_sources


@dataclass(slots=True)
class VerifyReport:
    """What was looked at and found. `cost_usd` is exact USD; NULL costs count as none."""

    segments: int = 0
    rows: int = 0
    requests: int = 0
    cost_usd: Decimal = Decimal(0)
    prompts: int = 0
    journals: int = 0
    unsealed_lines: int = 0
    quarantined: int = 0
    """Damaged lines of journals."""
    books: Books = field(default_factory=Books)
    """What is recorded by now, and what is refused beside it; failed and assumed as the reports were built last."""
    problems: list[Finding] = field(default_factory=list[Finding])
    notes: list[Finding] = field(default_factory=list[Finding])

    @property
    def clean(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Inventory:
    """What the manifest says at one instant, and which journals there are."""

    segments: list[Segment]
    quarantined: list[QuarantinedLine]
    conflicts: list[Conflict]
    superseded: set[str]
    journals: dict[Path, int]
    """And to which byte each is sealed."""


def verify(home: Home, progress: Callable[[int], None] | None = None) -> VerifyReport:
    """Verify a whole ledger; it changes nothing. `progress` is told the bytes of segments done since it was told last.

    Raises:
        LedgerError: there is no ledger.
    """
    home.settings()
    home.open()
    findings = Findings(home)
    report = VerifyReport(problems=findings.problems, notes=findings.notes)
    try:
        inventory = _list(home, findings)
    except (LedgerError, sqlite3.Error, ValueError, ArithmeticError) as error:
        findings.problem(home.manifest, f"cannot be read ({error}); `llm-cost repair` makes it anew from the segments")
        return report
    _verify_segments(home, inventory, findings, progress or (lambda _: None))
    _verify_journals(inventory, findings, report)
    verify_quarantine(home, inventory.quarantined, findings)
    verify_ids(home, findings)
    verify_modes(home, findings)
    published_books = _verify_reports(home, findings)
    _sum_up(inventory, report)
    report.books = _books(home, inventory, published_books, findings)
    return report


def _list(home: Home, findings: Findings) -> _Inventory:
    with sealing(home), Manifest(home) as manifest:
        with closing(sqlite3.connect(home.manifest)) as connection:
            for (answer,) in connection.execute("pragma integrity_check"):
                if answer != "ok":
                    findings.problem(home.manifest, f"SQLite's integrity check says: {answer}")
        note_leftovers(home, manifest, findings)
        return _Inventory(
            manifest.segments(),
            manifest.quarantined(),
            manifest.conflicts(),
            manifest.superseded(),
            {path: manifest.sealed_bytes(path.name) for path in home.journals()},
        )


def _verify_segments(home: Home, inventory: _Inventory, findings: Findings, progress: Callable[[int], None]) -> None:
    verifier = SegmentVerifier(home, findings, progress)
    for segment in inventory.segments:
        verifier.verify(segment)
    verifier.verify_together()
    verify_prices(home, verifier.price_ids, findings)
    if verifier.footers_complete:
        manifest_notes: set[tuple[str | None, str]] = {(each.event_key, each.record_id) for each in inventory.conflicts}
        manifest_notes |= {(None, record_id) for record_id in inventory.superseded}
        for event_key, record_id in sorted(manifest_notes - verifier.notes_in_footers, key=str):
            what = "superseded" if event_key is None else f"in conflict under event {event_key}"
            findings.problem(home.manifest, f"says record {record_id} was {what}, which no segment's footer does")


def _verify_journals(inventory: _Inventory, findings: Findings, report: VerifyReport) -> None:
    ends: defaultdict[str | None, int] = defaultdict(int)
    for segment in inventory.segments:
        ends[segment.journal] = max(ends[segment.journal], segment.journal_end or 0)
    for line in inventory.quarantined:
        ends[line.journal] = max(ends[line.journal], line.start + line.length)
    for path, sealed in inventory.journals.items():
        report.unsealed_lines += verify_journal(path, sealed, ends[path.name], findings)


def _verify_reports(home: Home, findings: Findings) -> Books:
    """Compare the published reports with one another, and with the manifest where a day did not change since.

    Returned is what they say of the books; nothing where there are none.
    """
    books = Books()
    if not home.warehouse_database.exists():
        return books
    try:
        with open_warehouse(home) as warehouse:
            # A file of earlier models has no such reports.
            with suppress(duckdb.CatalogException, duckdb.BinderException):
                books = books_of(warehouse)
            for proof in prove(warehouse):
                findings.differs(home.warehouse_database, f"sum of {proof.cut}", proof.ledger, proof.sums)
            days = dict(_days(warehouse))
        with connect() as connection:
            create_sources(connection, home)
            now = dict(_days(connection))
    except (LedgerError, duckdb.Error) as error:
        reason = str(error).strip().splitlines()[0]
        findings.problem(home.warehouse_database, f"cannot be read ({reason}); `llm-cost build` renews it")
        return books
    stale = {day for day, _ in days.keys() ^ now.keys()}
    for day in sorted(days.keys() & now.keys()):
        findings.differs(home.warehouse_database, f"sums of {day[0]}", now[day], days[day])
    if stale:
        findings.note(home.warehouse_database, f"{len(stale)} days changed since the last build")
    return books


def _books(home: Home, inventory: _Inventory, published_books: Books, findings: Findings) -> Books:
    """What is recorded and what is refused; a refused call whose application was told that it is recorded is lost."""
    try:
        try:
            calls = standing_refusals(home)
        except LedgerError:  # a damaged segment, which was named
            calls = list(refused_calls(home))
    except (LedgerError, OSError) as error:
        findings.problem(home.quarantine, f"cannot be read: {error}")
        calls = []
    waiting = [call for call in calls if call.state is State.WAITING]
    for call in waiting:
        if call.was_acknowledged and call.line is not None:
            findings.problem(
                home.quarantine if call.file is None else call.file,
                f"keeps a line that was acknowledged and is in no report ({call.line.reason}); "
                f"see `llm-cost quarantine show {call.id[:13]}`, then replay or discard it",
                f"{call.line.journal} bytes {call.line.start} to {call.line.start + call.line.length}",
            )
    estimates = [call.estimated_usd for call in waiting if call.estimated_usd is not None]
    with localcontext(EXACT):
        recorded_part = Part(
            sum(segment.requests for segment in inventory.segments),
            sum((segment.cost_usd for segment in inventory.segments), Decimal(0)),
        )
        refused_part = Part(len(waiting), sum(estimates, Decimal(0)))
    return replace(
        published_books,
        recorded=recorded_part,
        refused=refused_part,
        unpriced=Part(sum(segment.unpriced_requests for segment in inventory.segments)),
        refused_without_estimate=len(waiting) - len(estimates),
    )


def _days(connection: duckdb.DuckDBPyConnection) -> list[tuple[tuple[object, str], tuple[object, ...]]]:
    """Each day of `ledger.segments` with its fingerprint, and its sums."""
    rows = connection.execute(
        "select usage_date, fingerprint, row_count, requests, token_count, cost_usd, micro_usd, unpriced_requests"
        " from ledger.segments"
    ).fetchall()
    return [((day, fingerprint), tuple(sums)) for day, fingerprint, *sums in rows]


def _sum_up(inventory: _Inventory, report: VerifyReport) -> None:
    report.segments = len(inventory.segments)
    report.rows = sum(segment.row_count for segment in inventory.segments)
    report.requests = sum(segment.requests for segment in inventory.segments)
    with localcontext(EXACT):
        report.cost_usd = sum((segment.cost_usd for segment in inventory.segments), Decimal(0))
    report.prompts = sum(segment.prompts for segment in inventory.segments)
    report.journals = len(inventory.journals)
    report.quarantined = len(inventory.quarantined)
