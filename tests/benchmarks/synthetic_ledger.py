"""A ledger of any size as a teaching platform leaves it after 90 days, written by the project's own segment writer.

50,000 users grade 20,000 assignments. A class grades one assignment at a time, on one model, so the rows of a session
share their keys; a few users have most of the sessions. Prices are the catalogue's; the prompts' text is not kept.
"""

import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl

from tracking import CostCalculator
from tracking.home import Home
from tracking.pricing.price_files import PriceFiles
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.schema import USAGE_SCHEMA
from warehouse.ledger.segment_names import ByteRange
from warehouse.ledger.segments import write_segments

FIRST_DAY = date(2026, 7, 6)
DAYS = 90
WEEKEND = 0.3
"""What a Saturday or Sunday has of a weekday's rows."""

USERS = 50_000
USERS_OF_A_COURSE = 5
ASSIGNMENTS_OF_A_COURSE = 2
SCHOOLS = 50
SUBJECTS = 12
ROWS_OF_A_SESSION = 28
MODELS = pl.DataFrame(
    {
        "provider": ["openai", "openai", "anthropic", "google", "deepseek", "mistral"],
        "model": [
            "gpt-4o-mini",
            "gpt-4o",
            "claude-sonnet-4-5-20250929",
            "gemini-2.5-flash",
            "deepseek-chat",
            "mistral-small-latest",
        ],
        "service_tier": ["default", "default", "standard", None, None, None],
        "tokens_per_second": [90, 60, 70, 150, 40, 110],
    }
)
SHARES = (0.42, 0.18, 0.16, 0.14, 0.06, 0.04)
GRADING, RUBRIC, APPEAL = range(3)


def write_ledger(home: Home, rows: int, progress: Callable[[int], None] = lambda _: None) -> None:
    """Make a home with so many sealed rows over DAYS days, one segment each."""
    home.open()
    weights = [WEEKEND if day_of(number).weekday() > 4 else 1.0 for number in range(DAYS)]
    ends = [round(rows * sum(weights[: number + 1]) / sum(weights)) for number in range(DAYS)]
    for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        append_day(home, number, end - start)
        progress(end - start)


def append_day(home: Home, number: int, rows: int) -> None:
    """Seal so many rows of the day with this number, 0 the first."""
    calculator = CostCalculator()
    calls = _as_recorded(calculator.cost_frame(_calls(number, rows)))
    _keep_prices(home, calculator, calls)
    byte_range = ByteRange(f"bench-1-{number}.log", 0, rows)
    with Manifest(home) as manifest:
        manifest.commit_seal(byte_range, write_segments(home, calls, byte_range), [], [], [])


def _keep_prices(home: Home, calculator: CostCalculator, calls: pl.DataFrame) -> None:
    files = PriceFiles(home.prices)
    for call in calls.drop_nulls("price_id").unique("price_id").iter_rows(named=True):
        price = calculator.cost_of(
            provider=call["provider"],
            model=call["model"],
            at=call["occurred_at"],
            service_tier=call["service_tier"],
        ).price
        if price is not None:
            files.keep(price)


def day_of(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


def _midnight(number: int) -> datetime:
    return datetime.combine(day_of(number), time(), UTC)


def _sessions(number: int, rows: int, chance: np.random.Generator) -> pl.DataFrame:
    """Who works on what, for how many calls: one row a session, together at least so many calls."""
    count = rows // (ROWS_OF_A_SESSION - 4) + 10
    # Users' shares fall as Zipf has it from the twentieth rank on: no teacher does a tenth of the work.
    user = (np.exp(chance.uniform(np.log(20), np.log(USERS + 20), count)) - 20).astype(np.int64)
    work = chance.choice([GRADING, RUBRIC, APPEAL], count, p=[0.9, 0.06, 0.04])
    liked = np.random.default_rng(0).choice(len(MODELS), USERS, p=SHARES)[user]
    other = chance.choice(len(MODELS), count, p=SHARES)
    this_week = (number // 7 + user) % ASSIGNMENTS_OF_A_COURSE
    return pl.DataFrame(
        {
            "session": np.arange(count),
            "user": user,
            "assignment": user // USERS_OF_A_COURSE * ASSIGNMENTS_OF_A_COURSE + this_week,
            "work": work,
            "model_number": np.where(chance.random(count) < 0.8, liked, other),
            "starts_at_ms": chance.integers(7 * 3_600_000, 19 * 3_600_000, count),
            "material_tokens": chance.integers(300, 6_000, count),
            "calls": np.where(
                work == GRADING, 1 + chance.poisson(ROWS_OF_A_SESSION, count), chance.integers(1, 4, count)
            ),
        }
    )


def _calls(number: int, rows: int) -> pl.DataFrame:
    """The calls of one day, each with what its provider told; not yet with what it cost."""
    chance = np.random.default_rng(number + 1)
    sessions = _sessions(number, rows, chance)
    calls = sessions[np.repeat(np.arange(len(sessions)), sessions["calls"].to_numpy())].head(rows)
    calls = calls.with_columns(
        *MODELS[calls["model_number"]].get_columns(),
        pl.Series("failed", chance.random(rows) < 0.02),
        pl.Series("broken_off", chance.random(rows) < 0.003),
        pl.Series("is_cached", chance.random(rows) < 0.6),
        pl.Series("essay_tokens", chance.integers(100, 1_500, rows)),
        pl.Series("output_tokens", chance.integers(100, 450, rows)),
        pl.Series("ttft_ms", chance.lognormal(6.2, 0.4, rows).astype(np.int64)),
        *(_ids(number, rows, name) for name in ("event_key", "record_id", "provider_response_id", "prompt_hmac")),
        place=pl.int_range(rows, eager=True),
    )
    is_retry = (pl.col("failed") & (pl.col("session") == pl.col("session").shift(-1))).shift(1, fill_value=False)
    answered = ~pl.col("failed")
    place_in_session = pl.col("place") - pl.col("place").min().over("session")
    at_ms = pl.col("starts_at_ms") + 4_000 * place_in_session + pl.col("essay_tokens")
    return calls.select(
        "event_key",
        "record_id",
        "provider",
        "model",
        "service_tier",
        "prompt_hmac",
        pl.when(answered).then(pl.col("provider_response_id", "output_tokens", "ttft_ms")),
        (pl.lit(_midnight(number)) + pl.duration(milliseconds=at_ms)).dt.cast_time_unit("us").alias("occurred_at"),
        pl.format("teacher-{}", "user").alias("user_id"),
        _by_work(pl.lit("Assignment"), pl.lit("Rubric"), pl.lit("Submission")).alias("trackable_type"),
        _by_work("assignment", pl.col("session"), pl.col("place")).cast(pl.String).alias("trackable_id"),
        pl.when(pl.col("work") != GRADING).then(pl.lit("Assignment")).alias("trackable_parent_type"),
        pl.when(pl.col("work") != GRADING).then(pl.col("assignment").cast(pl.String)).alias("trackable_parent_id"),
        _by_work(pl.lit("grade_student_work"), pl.lit("generate_rubric"), pl.lit("grade_student_work")).alias(
            "request_type"
        ),
        pl.when(answered).then(pl.col("material_tokens") + pl.col("essay_tokens")).alias("input_tokens"),
        pl.when(answered & pl.col("is_cached")).then(pl.col("material_tokens") // 128 * 128).alias("cache_read_tokens"),
        pl.when("failed")
        .then(pl.lit("error"))
        .when("broken_off")
        .then(pl.lit("partial"))
        .otherwise(pl.lit("ok"))
        .alias("status"),
        pl.when("failed").then(pl.lit("RateLimitError")).alias("error_type"),
        pl.when(is_retry).then(2).otherwise(1).cast(pl.Int64).alias("attempt"),
        pl.when(is_retry).then(pl.col("record_id").shift(1)).alias("retry_of"),
        (pl.col("ttft_ms") + 1000 * pl.col("output_tokens") // pl.col("tokens_per_second")).alias("latency_ms"),
        pl.format("{}-{}", pl.lit(number), "session").alias("trace_id"),
        pl.format("school-{}", pl.col("user") // USERS_OF_A_COURSE % SCHOOLS).alias("tenant"),
        pl.format('{{"subject": "subject-{}"}}', pl.col("user") % SUBJECTS).alias("tags"),
        (pl.col("essay_tokens") * 4).alias("prompt_chars"),
    )


def _by_work(grading: pl.Expr | str, rubric: pl.Expr, appeal: pl.Expr) -> pl.Expr:
    return (
        pl.when(pl.col("work") == GRADING).then(grading).when(pl.col("work") == RUBRIC).then(rubric).otherwise(appeal)
    )


def _ids(number: int, rows: int, name: str) -> pl.Series:
    """Two hashes as one text each: as random, and about as long, as a real id."""
    places = pl.int_range(number << 40, (number << 40) + rows, eager=True)
    first, second = (places.hash(zlib.crc32(f"{name}{half}".encode())).cast(pl.String) for half in range(2))
    return (first + second).alias(name)


def _as_recorded(calls: pl.DataFrame) -> pl.DataFrame:
    """Priced calls as rows of the ledger; no provider bills one that failed."""
    is_billed = pl.col("status") != "error"
    rows = calls.with_columns(
        pl.when(is_billed).then(pl.col("cost_usd", "micro_usd", "price_id")),
        pl.when(is_billed).then("pricing_status").otherwise(pl.lit("unpriced")).alias("pricing_status"),
        (pl.col("input_tokens") + pl.col("output_tokens")).alias("token_count"),
        (pl.col("occurred_at") + pl.duration(milliseconds=pl.col("latency_ms") + 20)).alias("recorded_at"),
        pl.col("occurred_at").dt.date().alias("usage_date"),
        pl.lit("usage").alias("charge_class"),
        pl.lit(None, pl.String).alias("prompt"),
    )
    absent = [pl.lit(None, kind).alias(name) for name, kind in USAGE_SCHEMA.items() if name not in rows.columns]
    return rows.with_columns(absent).select(*(pl.col(name).cast(kind) for name, kind in USAGE_SCHEMA.items()), "prompt")
