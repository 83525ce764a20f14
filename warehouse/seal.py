"""The sealer: turns complete journal lines into segments and makes them live in one transaction."""

import base64
import fcntl
import io
import json
import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import polars as pl

from tracking.durable_files import replace_file, sync_directory
from tracking.errors import LedgerError
from tracking.home import Home
from tracking.journal import decode_line, record_json
from tracking.record import LLMUsageRecord
from warehouse.locks import sealing
from warehouse.manifest import Manifest, QuarantinedLine, Stretch
from warehouse.schema import JOURNAL_SCHEMA, USAGE_SCHEMA, from_journal
from warehouse.segments import write_segments
from warehouse.settle import settle

CHUNK_BYTES = 32 * 1024 * 1024

RECORD_START = re.compile(rb"[0-9a-f]{8} \{")
REQUIRED = tuple(name for name, field in LLMUsageRecord.model_fields.items() if field.is_required())


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
        LedgerError: there is no ledger, or one of its files cannot be used; what was sealed before stays sealed.
    """
    home.settings()  # a mistyped home is refused, not made
    home.open()
    report = SealReport()
    try:
        with sealing(home), Manifest(home) as manifest:
            for journal in sorted(home.journal.glob("*.log")):
                _seal_journal(home, manifest, journal, report, progress or (lambda _: None))
    except OSError as error:
        raise LedgerError(f"sealing {error.filename or home.root} failed: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        raise LedgerError(f"sealing {home.root} failed, a segment cannot be read: {error}") from error
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
        rows = _parse(good)
    except (pl.exceptions.PolarsError, _NotARecordError):
        good, invalid = _validated(stretch, good)
        bad += invalid
        rows = _parse(good)
    live = [home.usage / segment.file for segment in manifest.segments()]
    sealed = (
        pl.scan_parquet(live, schema=USAGE_SCHEMA, missing_columns="insert", extra_columns="ignore", glob=False)
        if live
        else None
    )
    settled = settle(rows, sealed, manifest.superseded())
    if bad:
        _keep_bad_lines(home, stretch, chunk, bad)
    segments = write_segments(home, settled.rows, stretch, superseded=settled.superseded, conflicts=settled.conflicts)
    manifest.commit_seal(stretch, segments, bad, settled.conflicts, settled.superseded)
    report.rows += settled.rows.height
    report.duplicates += settled.duplicates
    report.superseded += len(settled.superseded)
    report.conflicts += len(settled.conflicts)
    report.quarantined += len(bad)
    report.segments += len(segments)


class _Line(NamedTuple):
    """A line of a journal whose checksum is right: its place, and its JSON."""

    offset: int
    length: int
    content: bytes


class _NotARecordError(ValueError):
    """Some line is JSON, but no record. The parser itself takes any object, and skips blank lines."""


def _parse(lines: list[_Line]) -> pl.DataFrame:
    if not lines:
        return from_journal(pl.DataFrame(schema=JOURNAL_SCHEMA))
    frame = pl.read_ndjson(io.BytesIO(b"\n".join(line.content for line in lines)), schema=JOURNAL_SCHEMA)
    if frame.height != len(lines) or any(frame[name].null_count() for name in REQUIRED):
        raise _NotARecordError
    return from_journal(frame)


def _lines(start: int, chunk: bytes) -> Iterator[tuple[int, bytes, bytes | None]]:
    """Where each line begins, the line, and its JSON where its checksum is right."""
    for line in io.BytesIO(chunk):
        for part in _parts(line):
            yield start, part, decode_line(part.removesuffix(b"\n"))
            start += len(part)


def _parts(line: bytes) -> tuple[bytes, ...]:
    """A line whose newline was damaged has swallowed the next one, which is whole and stays a line of its own."""
    if decode_line(line.removesuffix(b"\n")) is None:
        for found in RECORD_START.finditer(line, 1):
            before, after = line[: found.start()], line[found.start() :]
            if decode_line(after.removesuffix(b"\n")) is not None:
                return before, after
    return (line,)


def _read_lines(stretch: Stretch, chunk: bytes) -> tuple[list[_Line], list[QuarantinedLine]]:
    good: list[_Line] = []
    bad: list[QuarantinedLine] = []
    for offset, line, content in _lines(stretch.start, chunk):
        torn = offset + len(line) == stretch.end and not line.endswith(b"\n")
        if content is None or torn:
            reason = "torn last line of a writer that is gone" if torn else "checksum does not match"
            bad.append(QuarantinedLine(stretch.journal, offset, len(line), reason))
        else:
            good.append(_Line(offset, len(line), content))
    return good, bad


def _validated(stretch: Stretch, lines: list[_Line]) -> tuple[list[_Line], list[QuarantinedLine]]:
    """The lines that are records, and those that are not although their checksum is right."""
    good: list[_Line] = []
    bad: list[QuarantinedLine] = []
    for line in lines:
        try:
            good.append(line._replace(content=_record_json(line.content)))
        except (ValueError, TypeError, RecursionError):
            bad.append(QuarantinedLine(stretch.journal, line.offset, line.length, "not a record"))
    return good, bad


def _record_json(content: bytes) -> bytes:
    """A line's JSON as the writer would have written it; ValueError or TypeError where it is no record."""
    fields = json.loads(content)
    if not isinstance(fields, dict):
        raise TypeError("a record is an object")
    prompt = cast("dict[str, Any]", fields).pop("prompt", None)
    if not isinstance(prompt, str | None):
        raise TypeError("a prompt is text")
    record = LLMUsageRecord.model_validate_json(json.dumps(fields))
    return record_json(record, prompt)


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
