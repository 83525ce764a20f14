"""Erasure of a user: what they wrote goes, who they were goes, what they cost stays.

The id is replaced by an HMAC of it under a key of its own, `keys/erasing-….key`, which is destroyed at the very end. A
crash before that leaves the key: doing it again finds the key, makes the same pseudonym, and finishes.
"""

import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, localcontext
from itertools import groupby
from pathlib import Path

import duckdb

from tracking.durable_files import create_exclusively, sync_directory
from tracking.errors import LedgerError
from tracking.home import Home
from tracking.money import EXACT
from warehouse.building.build import rebuild_from_nothing
from warehouse.database import connect
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.overwrite import blank_sealed_lines
from warehouse.ledger.rewrite import Rewriting, rewrite, usage_relation
from warehouse.ledger.segment_names import SegmentKind, segment_file_of
from warehouse.ledger.segments import TOTALS
from warehouse.ledger.tidy import remove_leftovers, tidy
from warehouse.locks import building, sealing
from warehouse.privacy.kept_lines import change_entries
from warehouse.privacy.person import Person
from warehouse.privacy.search import Canary, Found
from warehouse.privacy.traces import Traces
from warehouse.sealing.seal import seal

KEY_BYTES = 32

NAMING_A_USER = ("user_id", "user", "damaged line", "line_base64")
OWN_FOLDERS = ("dimensions/", "invoices/")

Sums = dict[str, int | Decimal]


@dataclass(slots=True)
class ErasureReport:
    """What was erased, and the proof: sums before and after, and where the id still stands."""

    rows: int = 0
    prompts: int = 0
    journal_lines: int = 0
    kept_lines: int = 0
    before: Sums = field(default_factory=dict[str, int | Decimal])
    after: Sums = field(default_factory=dict[str, int | Decimal])
    places: list[Found] = field(default_factory=list[Found])
    """Where the id stands."""
    traces: list[Found] = field(default_factory=list[Found])
    """Where stands what they alone wrote, or a hash of it."""

    @property
    def in_own_files(self) -> list[Found]:
        """Files that only their owner may change."""
        return [place for place in self.places if place.path.startswith(OWN_FOLDERS) or place.path.endswith(".toml")]

    @property
    def left(self) -> list[Found]:
        """Where the user is still known, against the promise."""
        return [
            place
            for place in self.places
            if place not in self.in_own_files and (place.column or "user_id").split(".")[-1] in NAMING_A_USER
        ]

    @property
    def elsewhere(self) -> list[Found]:
        """Other columns that hold the same text: another thing of that name, or another's words."""
        return [place for place in self.places if place not in self.in_own_files and place not in self.left]

    @property
    def proven(self) -> bool:
        return self.before == self.after and not self.left and not self.traces


def erase(home: Home, person: Person, *, progress: Callable[[str], object] | None = None) -> ErasureReport:
    """Erase a user from everything under the home. Every total stays; repeating it finishes what a crash left.

    Replaced files are deleted at once: who reads the reports meanwhile may have to open them again. `progress` is told
    each step before it is taken.

    Raises:
        LedgerError: there is no ledger, or a file of it cannot be used.
        BuildError: the reports could not be made anew; the id is still in them until it is done again.
    """
    say: Callable[[str], object] = progress or _silent
    say("sealing")
    seal(home)
    report = ErasureReport()
    try:
        with building(home):
            key_file, key = _key(home, person.user_id)
            pseudonym = f"erased-{hmac.digest(key, person.user_id.encode(), 'sha256').hex()[:32]}"
            with sealing(home), Manifest(home) as manifest:
                say("rewriting segments")
                remove_leftovers(home, manifest)
                report.before = _sums(manifest.segments())
                traces = _erase_segments(home, manifest, person, pseudonym, report)
                traces.leave_out_what_others_wrote(home, manifest.segments())
                report.after = _sums(manifest.segments())
                say("overwriting journals")
                report.journal_lines = blank_sealed_lines(home, manifest, person.is_named_in)
                report.kept_lines = sum(
                    change_entries(file, person.erased_from) for file in sorted(home.quarantine.glob("*.jsonl"))
                )
            if home.build_database.exists() or home.warehouse_database.exists():
                say("building the reports anew")
                rebuild_from_nothing(home)
            tidy(home, timedelta(0))
            _destroy(key_file)
    except OSError as error:
        raise LedgerError(f"erasing in {error.filename or home.root} failed: {error.strerror or error}") from error
    say("searching every file")
    report.places = Canary(person.user_id).search(home)
    report.traces = traces.search(home)
    return report


def _silent(_: str) -> None:
    pass


def _key(home: Home, user_id: str) -> tuple[Path, bytes]:
    """The key of this user's erasure: one that a crash left, told by what it makes of the id, else a new one."""
    for file in sorted(home.keys.glob("erasing-*.key")):
        content = file.read_bytes()
        if not any(content):
            file.unlink()  # destroyed, when the crash came
            continue
        key, seen = content[:KEY_BYTES], content[KEY_BYTES:]
        if hmac.compare_digest(hmac.digest(key, user_id.encode(), "sha512"), seen):
            return file, key
    key = secrets.token_bytes(KEY_BYTES)
    file = home.keys / f"erasing-{secrets.token_hex(8)}.key"
    create_exclusively(file, key + hmac.digest(key, user_id.encode(), "sha512"))
    return file, key


def _destroy(file: Path) -> None:
    with file.open("r+b") as key:
        key.write(bytes(file.stat().st_size))
        key.flush()
        os.fsync(key.fileno())
    file.unlink()
    sync_directory(file.parent)


def _sums(segments: Iterable[Segment]) -> Sums:
    segments = list(segments)
    with localcontext(EXACT):
        return {name: sum((getattr(segment, name) for segment in segments), 0) for name in TOTALS}


def _erase_segments(home: Home, manifest: Manifest, person: Person, pseudonym: str, report: ErasureReport) -> Traces:
    """Rewrite the segments that name them; returns what they had written."""
    live = manifest.segments()
    rows_by_file = _rows_by_file(home, live, person)
    affected = [segment for segment in live if rows_by_file.get(segment.file)]
    traces = Traces.of(home, affected, person)
    for _, of_day in groupby(affected, key=lambda segment: segment.usage_date):
        segments = list(of_day)
        condition = (
            f"record_id not in (select record_id from {usage_relation(home, segments)} where {person.condition()})"
        )
        successor = rewrite(
            home,
            manifest,
            segments,
            Rewriting(SegmentKind.ERASED, usage_columns=person.replaced_columns(pseudonym), prompts_where=condition),
        )
        report.rows += sum(rows_by_file[segment.file] for segment in segments)
        report.prompts += sum(segment.prompts for segment in segments) - successor.prompts
    return traces


def _rows_by_file(home: Home, segments: list[Segment], person: Person) -> dict[str, int]:
    with_rows = [segment for segment in segments if segment.row_count]
    if not with_rows:
        return {}
    try:
        with connect() as connection:
            counts = connection.execute(
                f"select filename, count(*) from {usage_relation(home, with_rows)}"
                f" where {person.condition()} group by filename"
            ).fetchall()
    except duckdb.Error as error:
        raise LedgerError(f"segments of {home.root} cannot be read: {error}") from error
    return {segment_file_of(Path(name)): count for name, count in counts}
