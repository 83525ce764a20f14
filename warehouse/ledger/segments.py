"""Reading and writing segments: immutable Parquet files, durable before anything speaks of them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypedDict

import polars as pl

from tracking.durable_files import add_directory, replacing, sync_directory
from tracking.home import Home
from warehouse.ledger.footer import Provenance
from warehouse.ledger.manifest import Conflict, Segment
from warehouse.ledger.schema import PROMPT_SCHEMA, USAGE_SCHEMA
from warehouse.ledger.segment_names import ByteRange, segment_file


class Compression(TypedDict):
    """How Polars compresses a Parquet file."""

    compression: Literal["zstd"]
    compression_level: int


REQUESTS = (pl.col("charge_class") == "usage").cast(pl.Int64)
HAS_USAGE = pl.any_horizontal(pl.col("token_count", "other_units").is_not_null())
UNPRICED_REQUESTS = (
    (pl.col("pricing_status") == "unpriced") & (pl.col("status").ne_missing("error") | HAS_USAGE)
).cast(pl.Int64) - (pl.col("corrects_pricing_status") == "unpriced").fill_null(False).cast(pl.Int64)
"""A call that failed and used nothing has no price to have. The models say so by the macro `coverage`."""

TOTALS = {
    "row_count": pl.len().cast(pl.Int64),
    "requests": REQUESTS.sum(),
    "token_count": pl.col("token_count").sum(),
    "cost_usd": pl.col("cost_usd").sum(),
    "micro_usd": pl.col("micro_usd").sum(),
    "unpriced_requests": UNPRICED_REQUESTS.sum(),
}
"""What the rows of a segment sum to, exactly; what is NULL counts as none."""

COMPRESSION: Compression = {"compression": "zstd", "compression_level": 1}
"""Level 3, the default, takes a quarter longer and makes the same size."""

ORDER = ("user_id", "occurred_at", "record_id")
"""How the rows of a segment are sorted, and its prompts."""


def scan(files: Path | Iterable[Path], schema: pl.Schema | None = USAGE_SCHEMA) -> pl.LazyFrame:
    """The rows of segments' files, or of files of prompts by their schema; no file, no rows.

    A column that older files lack is NULL, one that the schema lacks is left out. No schema: whatever a file has.
    """
    paths = [files] if isinstance(files, Path) else list(files)
    if schema is None:
        return pl.scan_parquet(paths, glob=False, hive_partitioning=False)
    if not paths:
        return pl.LazyFrame(schema=schema)
    # Without `glob=False` a home in a folder `[a]` has no rows, and nobody is told.
    return pl.scan_parquet(
        paths,
        schema=schema,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        hive_partitioning=False,
    )


def write_segments(
    home: Home,
    rows: pl.DataFrame,
    byte_range: ByteRange,
    *,
    superseded: Iterable[str] = (),
    conflicts: Iterable[Conflict] = (),
) -> list[Segment]:
    """Write rows (USAGE_SCHEMA and `prompt`) of one byte range of a journal, one segment a day.

    A conflict is kept in the footer of the segment that has its row: both leave together. What else settling found, in
    the first one's.
    """
    by_day = {day: rows.filter(pl.col("usage_date") == day) for day in sorted(rows["usage_date"].unique())}
    provenance = Provenance(byte_range.journal, byte_range.start, byte_range.end, days=tuple(by_day))
    conflicts_by_day = _by_day_of_row(by_day, conflicts)
    return [
        _write_day(
            home,
            day,
            day_rows,
            byte_range.name,
            replace(
                provenance,
                superseded=() if number else tuple(sorted(superseded)),
                conflicts=tuple(conflicts_by_day[day]),
            ),
        )
        for number, (day, day_rows) in enumerate(by_day.items())
    ]


def _by_day_of_row(by_day: Mapping[date, pl.DataFrame], conflicts: Iterable[Conflict]) -> dict[date, list[Conflict]]:
    """Conflicts by the day of their row; of a row that was superseded in the same byte range, on the first."""
    conflicts_by_day: dict[date, list[Conflict]] = {day: [] for day in by_day}
    conflicts = list(conflicts)
    records = {day: set(rows["record_id"]) for day, rows in by_day.items()} if conflicts else {}
    for conflict in conflicts:
        days = (day for day in by_day if conflict.record_id in records[day])
        conflicts_by_day[next(days, min(by_day))].append(conflict)
    return conflicts_by_day


def _write_day(home: Home, day: date, rows: pl.DataFrame, name: str, provenance: Provenance) -> Segment:
    rows = rows.sort(ORDER)
    prompts = rows.filter(pl.col("prompt").is_not_null()).select(PROMPT_SCHEMA.names())
    usage = rows.select(USAGE_SCHEMA.names())
    file, metadata = segment_file(day, name), provenance.as_metadata()
    prompts_sha256 = (
        write_durably(home.prompts / file, lambda path: prompts.write_parquet(path, **COMPRESSION))
        if prompts.height
        else None
    )
    sha256 = write_durably(home.usage / file, lambda path: usage.write_parquet(path, **COMPRESSION, metadata=metadata))
    return Segment(
        name=name,
        usage_date=day,
        **exact_totals(rows.select(**TOTALS).row(0, named=True)),
        bytes=(home.usage / file).stat().st_size,
        sha256=sha256,
        prompts=prompts.height,
        prompts_sha256=prompts_sha256,
        journal=provenance.journal,
        journal_start=provenance.journal_start,
        journal_end=provenance.journal_end,
    )


def exact_totals(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of TOTALS, with no NULL where no row has a cost."""
    return {**row, "cost_usd": row["cost_usd"] or Decimal(0)}


def write_durably(path: Path, write: Callable[[Path], object]) -> str:
    """Have one file of a segment written ; returns the SHA-256 of its bytes, hex."""
    add_directory(path.parent)
    sync_directory(path.parent.parent)
    with replacing(path) as temporary:
        write(temporary)
        return sha256_of(temporary)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
