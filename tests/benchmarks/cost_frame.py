"""Exact costs of a frame of usage as a ledger has it: 30 days, 6 models, most rows with cached tokens."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

from tests.benchmarks.timing import best_of, seconds_and_peak, table
from tracking import CostCalculator

ROWS = 5_000_000
MANY = 4 * ROWS
MODELS = pl.DataFrame(
    {
        "provider": ["openai", "openai", "anthropic", "google", "deepseek", "mistral"],
        "model": [
            "gpt-5-mini-2025-08-07",
            "gpt-4o",
            "claude-sonnet-4-5-20250929",
            "gemini-2.5-pro",
            "deepseek-chat",
            "mistral-large-latest",
        ],
        "service_tier": ["default", "default", "standard", None, None, None],
    }
)
STREAM = """
import time
import polars as pl
from tracking import CostCalculator

usage = pl.scan_parquet({source!r})
CostCalculator().cost_frame(usage.head(1000)).collect()
started = time.perf_counter()
{work}.sink_parquet({target!r})
print(time.perf_counter() - started)
"""
WORK = {"a mere copy": "usage", "with exact costs": "CostCalculator().cost_frame(usage)"}


def run() -> None:
    calculator = CostCalculator()
    usage = usage_of(ROWS)
    calculator.cost_frame(usage.head(1000))
    timings: dict[str, Callable[[], object]] = {
        "as it happened": lambda: calculator.cost_frame(usage),
        "as if gpt-5-mini had answered": lambda: calculator.cost_frame(usage, model="gpt-5-mini"),
        "less 12.5 %": lambda: calculator.cost_frame(usage, discount_percent="12.5"),
        "lazy, the sum alone": lambda: calculator.cost_frame(usage.lazy()).select(pl.sum("cost_usd")).collect(),
    }
    seconds = {name: best_of(call) for name, call in timings.items()}
    table(
        f"cost_frame of {ROWS:,} rows, best of 3",
        ("", "s", "M rows/s"),
        [(name, f"{each:.2f}", f"{ROWS / each / 1e6:.1f}") for name, each in seconds.items()],
    )
    _parquet()


def usage_of(rows: int) -> pl.DataFrame:
    """Made by arithmetic, the same every time."""
    mixed = pl.int_range(rows, eager=True).hash(seed=7)
    frame = MODELS[(mixed % 6).cast(pl.UInt32)].with_columns(
        pl.from_epoch(mixed // 6 % (30 * 86400) + 1793000000)
        .dt.cast_time_unit("us")
        .dt.replace_time_zone("UTC")
        .alias("occurred_at"),
        (mixed // 64 % 20_000 + 100).cast(pl.Int64).alias("input_tokens"),
        (mixed // 128 % 2_000 + 10).cast(pl.Int64).alias("output_tokens"),
    )
    tokens = pl.col("input_tokens")
    return frame.with_columns(
        pl.when(tokens % 4 != 0).then(tokens // 2).alias("cache_read_tokens"),
        pl.when(pl.col("provider") == "anthropic").then(tokens // 5).alias("cache_write_tokens"),
        (pl.col("output_tokens") // 3).alias("reasoning_tokens"),
    )


def _parquet() -> None:
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "usage.parquet"), Path(folder, "costs.parquet")
        part = usage_of(ROWS)
        for count in (ROWS, MANY):
            pl.concat([part.lazy()] * (count // ROWS)).sink_parquet(source)
            for name, work in WORK.items():
                seconds, peak = seconds_and_peak(STREAM.format(source=str(source), target=str(target), work=work))
                memory = "unknown" if peak is None else f"{peak / 2**20:,.0f}"
                rows.append((f"{count:,} rows, {name}", f"{seconds:.2f}", f"{count / seconds / 1e6:.1f}", memory))
    table("Parquet to Parquet, one process each", ("", "s", "M rows/s", "peak MiB"), rows)
