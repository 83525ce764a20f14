"""Writing segments: immutable Parquet files, durable before anything speaks of them."""

import hashlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

from tracking.durable_files import replacing, sync_directory
from tracking.home import Home
from warehouse.manifest import Segment, Stretch
from warehouse.schema import PROMPT_SCHEMA, USAGE_SCHEMA

REQUESTS = (pl.col("charge_class") == "usage").cast(pl.Int64)
UNPRICED_REQUESTS = (pl.col("pricing_status") == "unpriced").cast(pl.Int64) - (
    pl.col("corrects_pricing_status") == "unpriced"
).fill_null(False).cast(pl.Int64)


def write_segments(home: Home, rows: pl.DataFrame, stretch: Stretch) -> list[Segment]:
    """Write rows (USAGE_SCHEMA and `prompt`) of one stretch of a journal, one segment a day."""
    return [
        _write_day(home, day, day_rows, stretch)
        for (day,), day_rows in sorted(rows.partition_by("usage_date", as_dict=True).items())
    ]


def _write_day(home: Home, day: date, rows: pl.DataFrame, stretch: Stretch) -> Segment:
    rows = rows.sort("user_id", "occurred_at", "record_id")
    prompts = rows.filter(pl.col("prompt").is_not_null()).select(PROMPT_SCHEMA.names())
    totals = rows.select(
        requests=REQUESTS.sum(),
        token_count=pl.col("token_count").sum(),
        cost_usd=pl.col("cost_usd").sum(),
        micro_usd=pl.col("micro_usd").sum(),
        unpriced_requests=UNPRICED_REQUESTS.sum(),
    ).row(0, named=True)
    file = f"usage_date={day.isoformat()}/{stretch.name}.parquet"
    prompts_sha256 = _write(home.prompts / file, prompts) if prompts.height else None
    usage_file = home.usage / file
    sha256 = _write(usage_file, rows.select(USAGE_SCHEMA.names()))
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


def _write(path: Path, frame: pl.DataFrame) -> str:
    """Write one Parquet file durably (mode 0600); returns the SHA-256 of its bytes, hex."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent.parent)
    with replacing(path) as temporary:
        frame.write_parquet(temporary, compression="zstd")
        with temporary.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
