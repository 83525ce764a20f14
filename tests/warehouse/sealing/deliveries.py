"""Rows as they are delivered, in any order and number, and what they come to by the rule of settling."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st
from ledgers import NOON

from tracking import LLMUsageRecord
from tracking.money import to_micro_usd
from warehouse.ledger.manifest import Conflict
from warehouse.ledger.schema import USAGE_SCHEMA
from warehouse.sealing.settle import settle

BATCH_SCHEMA = {**USAGE_SCHEMA, "prompt": pl.String}
MEASURES = ("input_tokens", "output_tokens", "token_count", "cost_usd")


@dataclass(frozen=True)
class Delivery:
    """One row as it was delivered. Its number in the sequence is when it was recorded."""

    event: str
    user: str
    input_tokens: int | None
    output_tokens: int | None
    priced: bool = True
    searches: int | None = None
    status: str = "ok"
    estimated: bool = False

    @property
    def cost(self) -> Decimal | None:
        """Never a whole micro-dollar, so that rounding early would show."""
        if not self.priced or self.input_tokens is None:
            return None
        units = self.input_tokens * 3 + (self.output_tokens or 0) * 7 + (self.searches or 0) * 1000
        return Decimal(units) * Decimal("0.000000123457")

    @property
    def record_id(self) -> str:
        """Event and usage, as `tracking.rows.identity` makes it."""
        return f"{self.event}:{self.input_tokens}:{self.output_tokens}:{self.searches}:{self.status}"

    def row(self, recorded: int) -> dict[str, Any]:
        known = [count for count in (self.input_tokens, self.output_tokens) if count is not None]
        cost = self.cost
        made = LLMUsageRecord(
            event_key=self.event,
            record_id=self.record_id,
            occurred_at=NOON,
            recorded_at=NOON + timedelta(microseconds=recorded),
            user_id=self.user,
            trackable_type="Assignment",
            trackable_id="1",
            request_type="generate_rubric",
            provider="openai",
            model="gpt-4o",
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            token_count=sum(known) if known else None,
            other_units=None if self.searches is None else f'{{"web_searches":{self.searches}}}',
            cost_usd=cost,
            micro_usd=None if cost is None else to_micro_usd(cost),
            pricing_status="unpriced" if cost is None else "estimated" if self.estimated else "priced",
            status=self.status,
        )
        return made.model_dump() | {"usage_date": NOON.date(), "prompt": None}


class Ledger:
    """Seals batch after batch, as the sealer does, in memory."""

    def __init__(self) -> None:
        self.rows = pl.DataFrame(schema=BATCH_SCHEMA)
        self.superseded: set[str] = set()
        self.conflicts: list[Conflict] = []

    def seal(self, batch: Iterable[dict[str, Any]]) -> int:
        sealed = self.rows.drop("prompt").lazy() if self.rows.height else None
        settled = settle(pl.DataFrame(list(batch), schema=BATCH_SCHEMA), sealed, self.superseded)
        self.rows = pl.concat([self.rows, settled.rows])
        self.superseded |= settled.superseded
        self.conflicts += settled.conflicts
        assert self.rows["record_id"].is_unique().all()
        return settled.rows.height

    def totals(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        """Per event and user: requests, unpriced requests, each measure, searches."""
        found: dict[tuple[str, str], list[Any]] = {}
        for row in self.rows.to_dicts():
            total = found.setdefault((row["event_key"], row["user_id"]), [0] * (len(MEASURES) + 3))
            total[0] += row["charge_class"] == "usage"
            total[1] += (row["pricing_status"] == "unpriced") - (row["corrects_pricing_status"] == "unpriced")
            for place, name in enumerate(MEASURES, start=2):
                total[place] += row[name] or 0
            total[-1] += int((row["other_units"] or ":0}").rpartition(":")[2].rstrip("}"))
        return {key: tuple(total) for key, total in found.items()}


def by_the_rule(deliveries: Sequence[Delivery]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """The rule, written down plainly for deliveries in the order they were recorded."""

    def counts(row: Delivery) -> tuple[int, int, int]:
        return (
            -1 if row.input_tokens is None else row.input_tokens,
            -1 if row.output_tokens is None else row.output_tokens,
            -1 if row.searches is None else row.searches,
        )

    standing: list[Delivery] = []
    seen: set[str] = set()
    for row in deliveries:
        if row.record_id in seen:
            continue
        seen.add(row.record_id)
        covered = [
            other
            for other in standing
            if (other.event, other.user) == (row.event, row.user)
            and all(mine >= theirs for mine, theirs in zip(counts(row), counts(other), strict=True))
            and not (row.cost is None and other.cost is not None)
        ]
        if covered:

            def completeness(other: Delivery) -> tuple[Any, ...]:
                total = sum(count for count in (other.input_tokens, other.output_tokens) if count is not None)
                tokens = counts(other)[:2] if total or other.input_tokens is not None else (-1, -1)
                return (*tokens, total, -1 if other.cost is None else other.cost, standing.index(other))

            standing.remove(max(covered, key=completeness))
        standing.append(row)
    found: dict[tuple[str, str], list[Any]] = {}
    for row in standing:
        total = found.setdefault((row.event, row.user), [0] * (len(MEASURES) + 3))
        tokens = (row.input_tokens or 0) + (row.output_tokens or 0)
        values = (1, row.cost is None, row.input_tokens or 0, row.output_tokens or 0, tokens, row.cost or 0)
        for place, value in enumerate((*values, row.searches or 0)):
            total[place] += value
    return {key: tuple(total) for key, total in found.items()}


counts = st.none() | st.integers(0, 6)
deliveries = st.lists(
    st.builds(
        Delivery,
        event=st.sampled_from(["e1", "e2"]),
        user=st.sampled_from(["ann", "bob"]),
        input_tokens=st.integers(0, 6),
        output_tokens=counts,
        priced=st.sampled_from([True, True, True, False]),
        searches=st.sampled_from([None, None, None, 1, 2]),
    ),
    min_size=1,
    max_size=9,
)


def sealed_in_cuts(sequence: Sequence[Delivery], cuts: Iterable[int]) -> Ledger:
    rows = [delivery.row(recorded) for recorded, delivery in enumerate(sequence)]
    ledger = Ledger()
    start = 0
    for end in [*sorted(set(cuts)), len(rows)]:
        if end > start:
            ledger.seal(rows[start:end])
            start = end
    return ledger
