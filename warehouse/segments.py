"""Writing segments: immutable Parquet files, durable before anything speaks of them."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

from tracking.durable_files import replacing, sync_directory
from tracking.home import Home
from warehouse.manifest import Conflict, Segment, Stretch, segment_file
from warehouse.provenance import Provenance
from warehouse.schema import PROMPT_SCHEMA, USAGE_SCHEMA

REQUESTS = (pl.col("charge_class") == "usage").cast(pl.Int64)
UNPRICED_REQUESTS = (pl.col("pricing_status") == "unpriced").cast(pl.Int64) - (
    pl.col("corrects_pricing_status") == "unpriced"
).fill_null(False).cast(pl.Int64)


def write_segments(
    home: Home,
    rows: pl.DataFrame,
    stretch: Stretch,
    *,
    superseded: Iterable[str] = (),
    conflicts: Iterable[Conflict] = (),
) -> list[Segment]:
    """Write rows (USAGE_SCHEMA and `prompt`) of one stretch of a journal, one segment a day.

    What settling it found is kept in the footer of its first segment.
    """
    days = tuple(sorted(rows["usage_date"].unique()))
    segments: list[Segment] = []
    for day in days:
        day_rows = rows if len(days) == 1 else rows.filter(pl.col("usage_date") == day)
        provenance = Provenance(
            journal=stretch.journal, journal_start=stretch.start, journal_end=stretch.end, days=days
        )
        if day == days[0]:
            found = {"superseded": tuple(sorted(superseded)), "conflicts": tuple(conflicts)}
            provenance = replace(provenance, **found)
        segments.append(_write_day(home, day, day_rows, stretch, provenance))
    return segments


def _write_day(home: Home, day: date, rows: pl.DataFrame, stretch: Stretch, provenance: Provenance) -> Segment:
    prompts = rows.select(PROMPT_SCHEMA.names()).drop_nulls("prompt")
    rows = rows.select(USAGE_SCHEMA.names()).sort("user_id", "occurred_at", "record_id")
    totals = rows.select(
        requests=REQUESTS.sum(),
        token_count=pl.col("token_count").sum(),
        cost_usd=pl.col("cost_usd").sum(),
        micro_usd=pl.col("micro_usd").sum(),
        unpriced_requests=UNPRICED_REQUESTS.sum(),
    ).row(0, named=True)
    file = segment_file(day, stretch.name)
    prompts_sha256 = _write(home.prompts / file, prompts) if prompts.height else None
    usage_file = home.usage / file
    sha256 = _write(usage_file, rows, provenance.as_metadata())
    return Segment(
        name=stretch.name,
        usage_date=day,
        row_count=rows.height,
        requests=totals["requests"],
        token_count=totals["token_count"],
        cost_usd=totals["cost_usd"] or Decimal(0),
        micro_usd=totals["micro_usd"],
        unpriced_requests=totals["unpriced_requests"],
        bytes=usage_file.stat().st_size,
        sha256=sha256,
        prompts=prompts.height,
        prompts_sha256=prompts_sha256,
        journal=stretch.journal,
        journal_start=stretch.start,
        journal_end=stretch.end,
    )


def _write(path: Path, frame: pl.DataFrame, metadata: dict[str, str] | None = None) -> str:
    """Write one Parquet file durably (mode 0600); returns the SHA-256 of its bytes, hex."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent.parent)
    with replacing(path) as temporary:
        # Level 3, the default, takes a quarter longer and makes the same size.
        frame.write_parquet(temporary, compression="zstd", compression_level=1, metadata=metadata)
        with temporary.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
