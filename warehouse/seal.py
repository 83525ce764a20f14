"""The sealer: turns complete journal lines into segments and makes them live in one transaction."""

import base64
import fcntl
import io
import json
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from tracking.durable_files import replace_file, sync_directory
from tracking.errors import LedgerError
from tracking.home import Home
from tracking.journal import decode_line
from tracking.record import LLMUsageRecord
from warehouse.locks import sealing
from warehouse.manifest import Manifest, QuarantinedLine, Stretch
from warehouse.schema import JOURNAL_SCHEMA, USAGE_SCHEMA, from_journal
from warehouse.segments import write_segments
from warehouse.settle import settle

CHUNK_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class SealReport:
    """What one sealing did. Rows are rows of the ledger; lines are lines of journals."""

    rows: int = 0
    duplicates: int = 0
    superseded: int = 0
    conflicts: int = 0
    quarantined: int = 0
    segments: int = 0


def seal(home: Home, progress: Callable[[int], None] | None = None) -> SealReport:
    """Seal every complete line of every journal, those of living writers too. Repeating it changes nothing.

    `progress` is told the bytes done since it was told last.

    Raises:
        LedgerError: the home holds no ledger, or its disk refuses.
    """
    home.open()
    report = SealReport()
    try:
        with sealing(home), Manifest(home) as manifest:
            for journal in sorted(home.journal.glob("*.log")):
                _seal_journal(home, manifest, journal, report, progress or (lambda _: None))
    except OSError as error:
        raise LedgerError(f"sealing {home.root} failed: {error.strerror or error}") from error
    return report


def _seal_journal(
    home: Home, manifest: Manifest, journal: Path, report: SealReport, progress: Callable[[int], None]
) -> None:
    with _opened(journal) as (descriptor, abandoned):
        size = os.fstat(descriptor).st_size
        start = manifest.sealed_bytes(journal.name)
        while start < size:
            chunk = _whole_lines(descriptor, start, size)
            if not chunk:
                if not abandoned:
                    return
                chunk = os.pread(descriptor, size - start, start)
            stretch = Stretch(journal.name, start, start + len(chunk))
            _seal_stretch(home, manifest, stretch, chunk, report)
            start += len(chunk)
            progress(len(chunk))
        if abandoned:
            journal.unlink()
            sync_directory(home.journal)


@contextmanager
def _opened(journal: Path) -> Generator[tuple[int, bool], None, None]:
    """A journal's descriptor, and whether its writer is gone (a living one holds the lock)."""
    descriptor = os.open(journal, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield descriptor, False
        else:
            yield descriptor, True
    finally:
        os.close(descriptor)


def _whole_lines(descriptor: int, start: int, size: int) -> bytes:
    """Complete lines from `start` on: about CHUNK_BYTES, more only where a single line is longer; or nothing."""
    length = CHUNK_BYTES
    while True:
        content = os.pread(descriptor, min(length, size - start), start)
        end = content.rfind(b"\n") + 1
        if end or start + len(content) >= size:
            return content[:end]
        length *= 2


def _seal_stretch(home: Home, manifest: Manifest, stretch: Stretch, chunk: bytes, report: SealReport) -> None:
    good, bad = _read_lines(stretch, chunk)
    try:
        frame = _parse(good)
    except pl.exceptions.PolarsError:
        good, invalid = _validated(stretch, chunk)
        bad += invalid
        frame = _parse(good)
    live = [home.usage / segment.file for segment in manifest.segments()]
    sealed = (
        pl.scan_parquet(live, schema=USAGE_SCHEMA, missing_columns="insert", extra_columns="ignore") if live else None
    )
    settled = settle(from_journal(frame), sealed, manifest.superseded())
    if bad:
        _keep_bad_lines(home, stretch, chunk, bad)
    segments = write_segments(home, settled.rows, stretch)
    manifest.commit_seal(stretch, segments, bad, settled.conflicts, settled.superseded)
    report.rows += settled.rows.height
    report.duplicates += settled.duplicates
    report.superseded += len(settled.superseded)
    report.conflicts += len(settled.conflicts)
    report.quarantined += len(bad)
    report.segments += len(segments)


def _parse(lines: list[bytes]) -> pl.DataFrame:
    if not lines:
        return pl.DataFrame(schema=JOURNAL_SCHEMA)
    return pl.read_ndjson(io.BytesIO(b"\n".join(lines)), schema=JOURNAL_SCHEMA)


def _lines(start: int, chunk: bytes) -> Iterator[tuple[int, bytes]]:
    for line in chunk.splitlines(keepends=True):
        yield start, line
        start += len(line)


def _read_lines(stretch: Stretch, chunk: bytes) -> tuple[list[bytes], list[QuarantinedLine]]:
    good: list[bytes] = []
    bad: list[QuarantinedLine] = []
    for offset, line in _lines(stretch.start, chunk):
        content = decode_line(line[:-1]) if line.endswith(b"\n") else None
        if content is None:
            reason = "checksum does not match" if line.endswith(b"\n") else "torn last line of a writer that is gone"
            bad.append(QuarantinedLine(stretch.journal, offset, len(line), reason))
        else:
            good.append(content)
    return good, bad


def _validated(stretch: Stretch, chunk: bytes) -> tuple[list[bytes], list[QuarantinedLine]]:
    """The lines that are records, and those that are not although their checksum is right."""
    good: list[bytes] = []
    bad: list[QuarantinedLine] = []
    for offset, line in _lines(stretch.start, chunk):
        content = decode_line(line.removesuffix(b"\n"))
        if content is None:
            continue
        try:
            fields = json.loads(content)
            fields.pop("prompt", None)
            LLMUsageRecord.model_validate_json(json.dumps(fields))
        except (ValueError, AttributeError, ValidationError):
            bad.append(QuarantinedLine(stretch.journal, offset, len(line), "not a record"))
        else:
            good.append(content)
    return good, bad


def _keep_bad_lines(home: Home, stretch: Stretch, chunk: bytes, bad: list[QuarantinedLine]) -> None:
    entries = [
        {
            "journal": stretch.journal,
            "offset": line.start,
            "length": line.length,
            "reason": line.reason,
            "line_base64": base64.b64encode(chunk[line.start - stretch.start :][: line.length]).decode(),
        }
        for line in bad
    ]
    content = "".join(json.dumps(entry) + "\n" for entry in entries).encode()
    replace_file(home.quarantine / f"{stretch.name}.jsonl", content)
