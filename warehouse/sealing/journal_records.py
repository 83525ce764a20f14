"""Reading journals: their whole lines, which of them are records, and where those stand that are not."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, NamedTuple, cast
from zlib import crc32

import polars as pl

from tracking.journal.writer import decode_line, record_json
from tracking.rows.record import LLMUsageRecord
from warehouse.ledger.manifest import QuarantinedLine
from warehouse.ledger.schema import JOURNAL_SCHEMA, from_journal
from warehouse.ledger.segment_names import ByteRange

RECORD_START = re.compile(rb"[0-9a-f]{8} \{")
REQUIRED = tuple(name for name, field in LLMUsageRecord.model_fields.items() if field.is_required())
INSTANTS = ("occurred_at", "recorded_at")
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""Polars parses instants of years that Python has not, and then nobody reads them."""
HEAD = len(b"01234567 ")
"""The bytes before a line's JSON: its checksum and a space."""
BLOCK_BYTES = 128 * 1024


def whole_lines(descriptor: int, start: int, end: int, length: int) -> bytes:
    """Complete lines between `start` and `end`: about `length` bytes, more only where one line is longer; or none."""
    while True:
        content = os.pread(descriptor, min(length, end - start), start)
        if content.endswith(b"\n"):
            return content
        whole = content.rfind(b"\n") + 1
        if whole or start + len(content) >= end:
            return content[:whole]
        length *= 2


def read_records(byte_range: ByteRange, chunk: bytes) -> tuple[pl.DataFrame, list[QuarantinedLine]]:
    """The records (USAGE_SCHEMA and `prompt`) of a byte range whose bytes are `chunk`, and the lines that are none."""
    contents = _contents_if_all_whole(chunk)
    if contents is not None:
        try:
            return _parse(contents), []
        except (pl.exceptions.PolarsError, _NotARecordError):
            pass
    good, bad = _read_lines(byte_range, chunk)
    try:
        return _parse([line.content for line in good]), bad
    except (pl.exceptions.PolarsError, _NotARecordError):
        good, invalid = _validated(byte_range, good)
        return _parse([line.content for line in good]), bad + invalid


def _contents_if_all_whole(chunk: bytes) -> list[bytes] | None:
    """Every line's JSON, or `None` where the bytes of any line are not as its writer wrote them."""
    contents: list[bytes] = []
    start = 0
    while start < len(chunk):
        # Block by block: what fits the processor's cache is looked at in half the time.
        end = chunk.rfind(b"\n", start, start + BLOCK_BYTES) + 1 or chunk.find(b"\n", start) + 1
        if not end:
            return None
        lines = chunk[start : end - 1].split(b"\n")
        block = [line[HEAD:] for line in lines]
        if [b"%08x " % crc32(content) for content in block] != [line[:HEAD] for line in lines]:
            return None
        contents += block
        start = end
    return contents


class _Line(NamedTuple):
    """A line of a journal whose checksum is right: its place, and its JSON."""

    offset: int
    length: int
    content: bytes


class _NotARecordError(ValueError):
    """Some line is JSON, but no record. The parser itself takes any object, and skips blank lines."""


def _parse(contents: list[bytes]) -> pl.DataFrame:
    if not contents:
        return from_journal(pl.DataFrame(schema=JOURNAL_SCHEMA))
    frame = pl.read_ndjson(b"\n".join(contents), schema=JOURNAL_SCHEMA)
    if frame.height != len(contents) or any(frame[name].null_count() for name in REQUIRED):
        raise _NotARecordError
    rows = from_journal(frame)
    if not all(rows[name].is_between(EARLIEST, LATEST).all() for name in INSTANTS):
        raise _NotARecordError
    return rows


def _lines(start: int, chunk: bytes) -> Iterator[tuple[int, bytes, bytes | None]]:
    """Where each line begins, the line, and its JSON where its checksum is right."""
    for line in BytesIO(chunk):
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


def _read_lines(byte_range: ByteRange, chunk: bytes) -> tuple[list[_Line], list[QuarantinedLine]]:
    good: list[_Line] = []
    bad: list[QuarantinedLine] = []
    for offset, line, content in _lines(byte_range.start, chunk):
        torn = offset + len(line) == byte_range.end and not line.endswith(b"\n")
        if content is None or torn:
            reason = "torn last line of a writer that is gone" if torn else "checksum does not match"
            bad.append(QuarantinedLine(byte_range.journal, offset, len(line), reason))
        else:
            good.append(_Line(offset, len(line), content))
    return good, bad


def _validated(byte_range: ByteRange, lines: list[_Line]) -> tuple[list[_Line], list[QuarantinedLine]]:
    """The lines that are records, and those that are not although their checksum is right."""
    good: list[_Line] = []
    bad: list[QuarantinedLine] = []
    for line in lines:
        try:
            good.append(line._replace(content=_record_json(line.content)))
        except (ValueError, TypeError, RecursionError):
            bad.append(QuarantinedLine(byte_range.journal, line.offset, line.length, "not a record"))
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
