"""Calls by number, of which everything is known by it: whose it is, what it costs, how it was recorded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from tracking import LLMResponse, Usage
from tracking.home import Home
from warehouse.ledger.manifest import Manifest

EACH = 1_000_000
"""Numbers of calls of one writer begin at its own number times this."""
START = datetime(2026, 11, 2, 22, tzinfo=UTC)
OWN_MODEL = "school-own-grader"
PRICES = f"""
[[price]]
provider = "openai"
model = "{OWN_MODEL}"
rates = {{ input_mtok = "1", output_mtok = "2" }}
"""


class Standing(NamedTuple):
    """What a call stands at after its corrections, and how many rows say that it was made."""

    user: str
    times: int
    token_count: int
    cost_usd: Decimal | None


def writer_of(number: int) -> str:
    return f"writer-{number // EACH}-of-us"


def is_old(number: int) -> bool:
    """Whether retention removes it."""
    return number % 50 == 7


def is_unpriced(number: int) -> bool:
    """Whether it had no price when it was recorded, if it was recorded early."""
    return number % 20 == 3


def is_streamed(number: int) -> bool:
    """Whether a partial answer was recorded before the final one."""
    return number % 30 == 11


def usage_of(number: int, *, partial: bool = False) -> Usage:
    return Usage(input_tokens=1000 + number % 1000, output_tokens=5 if partial else 50)


def cost_of(number: int) -> Decimal:
    """Of its final answer, by gpt-4o's price or by that of `PRICES`."""
    usage = usage_of(number)
    input_rate, output_rate = ("1", "2") if is_unpriced(number) else ("2.5", "10")
    return (Decimal(input_rate) * usage.input_tokens + Decimal(output_rate) * usage.output_tokens) / 1_000_000


def arguments_of(number: int, *, partial: bool = False) -> dict[str, Any]:
    at = START + timedelta(minutes=37 * number % 240)
    return {
        "llm_response": LLMResponse(
            provider="openai",
            model=OWN_MODEL if is_unpriced(number) else "gpt-4o",
            usage=usage_of(number, partial=partial),
            id=f"call-{number}",
            status="partial" if partial else "ok",
        ),
        "user": writer_of(number),
        "trackable": ("Assignment", number),
        "request_type": "generate_rubric",
        "prompt": f"Grade essay {number}.",
        "occurred_at": at - timedelta(days=400) if is_old(number) else at,
    }


def standing(home: Path) -> dict[int, Standing]:
    """Every live call by its number, by the manifest's list."""
    for _ in range(50):
        with Manifest(Home(home)) as manifest:
            files = [Home(home).usage / segment.file for segment in manifest.segments() if segment.row_count]
        if not files:
            return {}
        try:
            return _standing_in(files)
        except (FileNotFoundError, pl.exceptions.ComputeError) as error:  # erasure deletes what it replaced at once
            if "No such file" not in str(error):
                raise
    raise AssertionError("files of the manifest's list are gone again and again")


def _standing_in(files: list[Path]) -> dict[int, Standing]:
    rows = pl.scan_parquet(files, glob=False, hive_partitioning=False)
    cost = pl.col("cost_usd").cast(pl.Decimal(38, 12))
    calls = rows.group_by("trackable_id").agg(
        pl.col("user_id").min(),
        (pl.col("charge_class") == "usage").sum(),
        pl.col("token_count").sum(),
        pl.when(cost.count() > 0).then(cost.sum()),
        last=pl.col("user_id").max(),
    )
    found: dict[int, Standing] = {}
    for number, user, times, tokens, cost_usd, last in calls.collect().iter_rows():
        assert user == last, f"call {number} is of two users"
        found[int(number)] = Standing(user, times, tokens, cost_usd)
    return found
