"""One segment made of several of a day: the same rows in one file, or what retention or erasure leaves of them.

The new files are written whole before one transaction puts them in place of the old, which stay on disk for those who
still read them. A crash before that leaves files nobody speaks of. DuckDB sorts: what does not fit into its memory
goes to a private folder in the home, and with the end of the work that is gone.
"""

import shutil
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb
import polars as pl

from tracking.errors import LedgerError
from tracking.home import Home
from tracking.money import EXACT
from warehouse.database import connect, literal, parquet_files
from warehouse.ledger.footer import KEY, Provenance
from warehouse.ledger.manifest import Conflict, Manifest, Segment
from warehouse.ledger.schema import PROMPT_SCHEMA, USAGE_SCHEMA, duckdb_type
from warehouse.ledger.segment_names import ByteRange, SegmentKind, rewritten_name, segment_file
from warehouse.ledger.segments import ORDER, TOTALS, exact_totals, scan, sha256_of, write_durably

MEMORY_LIMIT = "1GB"
PROMPT_ROW_GROUP = 2048
"""Rows that are written at once; a prompt may be long."""

SPILL_PREFIX = ".rewriting-"


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What becomes of the rows. `usage_columns` is SQL in place of columns."""

    kind: SegmentKind
    keep_rows: bool = True
    usage_columns: Mapping[str, str] = field(default_factory=dict[str, str])
    prompts_where: str = "true"


def rewrite(home: Home, manifest: Manifest, segments: Sequence[Segment], rewriting: Rewriting) -> Segment:
    """Put one segment in place of some live ones of one day. Call it while holding the sealing lock.

    Raises:
        LedgerError: an old file is not what was sealed, or the new one would not sum to the same; nothing changed.
    """
    if rewriting.keep_rows:
        for segment in segments:
            _check(home, segment)
    day = segments[0].usage_date
    retired = [files.file for files in manifest.retired() if files.usage_date == day]
    try:
        provenance = _provenance(home, segments, retired, keep=rewriting.keep_rows)
        successor = _write(home, day, segments, rewriting, provenance)
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise LedgerError(f"segments of {day} cannot be rewritten: {error}") from error
    if rewriting.keep_rows:
        _compare(segments, successor, (*TOTALS, "prompts") if rewriting.prompts_where == "true" else TOTALS)
    manifest.swap(segments, [successor])
    return successor


def _check(home: Home, segment: Segment) -> None:
    """What is damaged must not get a checksum of its own: that would make the damage silent."""
    files = [(home.usage, segment.sha256), (home.prompts, segment.prompts_sha256)]
    for folder, sealed in files:
        if sealed is not None and sha256_of(folder / segment.file) != sealed:
            raise LedgerError(f"segment {folder / segment.file} is not what was sealed: its SHA-256 differs")


def _compare(segments: Iterable[Segment], successor: Segment, names: Iterable[str]) -> None:
    with localcontext(EXACT):
        for name in names:
            before = sum((getattr(segment, name) for segment in segments), Decimal(0))
            after = getattr(successor, name)
            if before != after:
                raise LedgerError(f"segments of {successor.usage_date} stay: {name} is {before}, would become {after}")


def _provenance(home: Home, segments: Iterable[Segment], retired: Iterable[str], *, keep: bool) -> Provenance:
    """What stands for the old segments once their files are gone; of rows that go, no finding stays."""
    ends: dict[str, ByteRange] = {}
    superseded_ids: set[str] = set()
    conflicts: dict[str, Conflict] = {}
    for segment in segments:
        origin = Provenance.read(home.usage / segment.file) or Provenance(
            segment.journal, segment.journal_start, segment.journal_end
        )
        for byte_range in origin.byte_ranges:
            if (home.journal / byte_range.journal).exists():
                covered = ends.get(byte_range.journal, byte_range)
                ends[byte_range.journal] = ByteRange(
                    byte_range.journal,
                    min(covered.start, byte_range.start),
                    max(covered.end, byte_range.end),
                )
        superseded_ids |= set(origin.superseded)
        conflicts |= {conflict.record_id: conflict for conflict in origin.conflicts}
    return Provenance(
        covers=tuple(ends[journal] for journal in sorted(ends)),
        replaces=(*(segment.file for segment in segments), *retired),
        superseded=tuple(sorted(superseded_ids)) if keep else (),
        conflicts=tuple(conflicts[record_id] for record_id in sorted(conflicts)) if keep else (),
    )


def _write(home: Home, day: date, segments: Sequence[Segment], rewriting: Rewriting, provenance: Provenance) -> Segment:
    file = segment_file(day, rewritten_name(rewriting.kind, ((each.file, each.sha256) for each in segments)))
    with _sorter(home) as connection:
        usage = _usage_query(home, segments, rewriting) if rewriting.keep_rows else _no_rows(USAGE_SCHEMA)
        prompts_sha256, prompts = None, 0
        if rewriting.keep_rows and any(segment.prompts for segment in segments):
            query = _prompts_query(home, segments, rewriting.prompts_where)
            prompts = _count(connection, query)
            if prompts:
                prompts_sha256 = write_durably(
                    home.prompts / file,
                    lambda path: _copy(connection, query, path, f"row_group_size {PROMPT_ROW_GROUP}"),
                )
        footer = f"kv_metadata {{{KEY}: {literal(provenance.as_metadata()[KEY])}}}"
        sha256 = write_durably(home.usage / file, lambda path: _copy(connection, usage, path, footer))
    segment_path = home.usage / file
    totals = scan(segment_path).select(**TOTALS).collect(engine="streaming")
    return Segment(
        name=segment_path.stem,
        usage_date=day,
        **exact_totals(totals.row(0, named=True)),
        bytes=segment_path.stat().st_size,
        sha256=sha256,
        prompts=prompts,
        prompts_sha256=prompts_sha256,
        journal=None,
        journal_start=None,
        journal_end=None,
    )


@contextmanager
def _sorter(home: Home) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    spill = Path(tempfile.mkdtemp(prefix=SPILL_PREFIX, suffix=".tmp", dir=home.root))
    try:
        # One thread sorts 4 GB of prompts in 12 s within 1.1 GB; two need more memory, and are no faster.
        with connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(spill), "threads": 1}) as connection:
            yield connection
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def usage_relation(home: Home, segments: Iterable[Segment]) -> str:
    """The rows of segments as SQL, each with the `filename` it comes from.

    Raises:
        LedgerError: a segment has a column that this version does not know.
    """
    files = [home.usage / segment.file for segment in segments]
    unknown = {name for file in files for name in scan(file, None).collect_schema()} - set(USAGE_SCHEMA.names())
    if unknown:
        raise LedgerError(f"segments hold the column {min(unknown)}, which this version does not know")
    return f"({_no_rows(USAGE_SCHEMA)} union all by name select * from {parquet_files(files, filename=True)})"


def _usage_query(home: Home, segments: Iterable[Segment], rewriting: Rewriting) -> str:
    columns = [
        f"{rewriting.usage_columns[name]} as {name}" if name in rewriting.usage_columns else name
        for name in USAGE_SCHEMA.names()
    ]
    return f"select {', '.join(columns)} from {usage_relation(home, segments)}"


def _prompts_query(home: Home, segments: Iterable[Segment], where: str) -> str:
    files = parquet_files(home.prompts / segment.file for segment in segments if segment.prompts)
    columns = ", ".join(PROMPT_SCHEMA.names())
    return f"select {columns} from {files} where {where}"


def _no_rows(schema: pl.Schema) -> str:
    """A relation with the types of `schema`: what an older segment lacks is NULL of the right type."""
    columns = ", ".join(f"null::{duckdb_type(kind)} as {name}" for name, kind in schema.items())
    return f"select {columns} where false"


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path, option: str) -> None:
    connection.execute(
        f"copy (select * from ({query}) order by {', '.join(ORDER)}) to {literal(str(path))}"
        f" (format parquet, compression zstd, {option})"
    )


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return connection.execute(f"select count(*) from ({query})").fetchall()[0][0]
