"""What the fault tests share: calls known beforehand, what a reader sees of them, and the difference."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from tracking import CostCalculator, CostTracker, LLMResponse, LLMUsageRecord, Usage
from tracking.home import Home
from warehouse.ledger.manifest import Manifest
from warehouse.sealing.seal import seal

LONG = os.environ.get("FAULTS") == "long"
"""Whether the long runs are wanted; else a short cut of each."""
START = datetime(2026, 11, 2, 22, tzinfo=UTC)


class Call(NamedTuple):
    """One call as its writer makes it: everything about it follows from who makes it and its number."""

    writer: str
    number: int

    @property
    def input_tokens(self) -> int:
        return 1000 + self.number % 10_000

    @property
    def at(self) -> datetime:
        return START + timedelta(minutes=37 * self.number % 240)


class Seen(NamedTuple):
    """What a reader sees of one call."""

    writer: str
    number: int
    token_count: int
    cost_usd: Decimal


@cache
def cost_of(input_tokens: int) -> Decimal:
    usage = Usage(input_tokens=input_tokens, output_tokens=50)
    cost = CostCalculator().cost(LLMResponse(provider="openai", model="gpt-4o", usage=usage), at=START).cost_usd
    assert cost
    return cost


def seen(call: Call) -> Seen:
    """What a reader has to see of it."""
    return Seen(call.writer, call.number, call.input_tokens + 50, cost_of(call.input_tokens))


def record(tracker: CostTracker, call: Call, *, without_id: bool = False) -> LLMUsageRecord:
    usage = {"prompt_tokens": call.input_tokens, "completion_tokens": 50, "total_tokens": call.input_tokens + 50}
    return tracker.record(
        llm_response={
            "id": None if without_id else f"{call.writer}-{call.number}",
            "model": "gpt-4o",
            "usage": usage,
        },
        provider="openai",
        user=call.writer,
        trackable=("Assignment", call.number),
        request_type="generate_rubric",
        prompt=f"Grade essay {call.number} of {call.writer}.",
        occurred_at=call.at,
    )


def calls(writer: str, count: int) -> list[Call]:
    return [Call(writer, number) for number in range(count)]


def record_all(home: Path, wanted: Iterable[Call], **settings: Any) -> None:
    with CostTracker(home, **settings) as tracker:
        for call in wanted:
            record(tracker, call)


def visible(home: Path) -> Counter[Seen]:
    """Every live row, as often as it is there, by the manifest's list. A correction would be no call of ours."""
    with Manifest(Home(home)) as manifest:
        files = [Home(home).usage / segment.file for segment in manifest.segments()]
    if not files:
        return Counter()
    rows = pl.scan_parquet(files, glob=False, hive_partitioning=False)
    columns = ("user_id", "trackable_id", "token_count", "cost_usd")
    return Counter(Seen(user, int(number), *rest) for user, number, *rest in rows.select(columns).collect().rows())


def sealed_and_visible(home: Path) -> Counter[Seen]:
    seal(Home(home))
    return visible(home)


@dataclass(slots=True)
class Tally:
    """What became of acknowledged rows in the trials of one fault. `invented`: visible, but never attempted."""

    fault: str
    trials: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    invented: int = 0

    def count(self, rows: Mapping[Seen, int], acknowledged: Iterable[Call], attempted: Iterable[Call] = ()) -> None:
        """One trial: what is visible after it, against what had been acknowledged and what had been attempted."""
        owed = {seen(call) for call in acknowledged}
        known = owed | {seen(call) for call in attempted}
        self.trials += 1
        self.acknowledged += len(owed)
        self.lost += len(owed - rows.keys())
        self.doubled += sum(times - 1 for times in rows.values())
        self.invented += len(rows.keys() - known)

    def assert_clean(self) -> None:
        assert self.trials
        assert (self.lost, self.doubled, self.invented) == (0, 0, 0), self
