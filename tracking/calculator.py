"""`CostCalculator`: the exact cost of one answer, with its receipt."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from tracking.catalogue import family_of, find_price, provider_id_of
from tracking.errors import ArgumentError
from tracking.extraction import CATALOGUE_UNIT
from tracking.price import Price
from tracking.price_overrides import PriceOverrides
from tracking.rate_card import CostLine
from tracking.record import PricingStatus, to_cost_usd, to_micro_usd
from tracking.response import LLMResponse
from tracking.usage import TOKEN_COUNTS, Quantity, Usage

if TYPE_CHECKING:
    from tracking.cost_frame import FrameT


@dataclass(frozen=True, slots=True)
class Cost:
    """What one answer cost. `usd` is exact; `None` (never zero) when no price is known."""

    usd: Decimal | None
    price: Price | None
    counts: Mapping[str, Quantity]
    pricing_status: PricingStatus
    provider: str
    model: str | None
    at: datetime

    @property
    def lines(self) -> tuple[CostLine, ...]:
        """The receipt: what `usd` is the sum of."""
        return () if self.price is None else self.price.card.lines(self.counts)

    @property
    def cost_usd(self) -> Decimal | None:
        """`usd` as the ledger keeps it: rounded once, half-even, to 12 places."""
        return None if self.usd is None else to_cost_usd(self.usd)

    @property
    def micro_usd(self) -> int | None:
        """`cost_usd` in whole millionths of a USD, rounded half-even."""
        return None if self.cost_usd is None else to_micro_usd(self.cost_usd)

    @property
    def price_id(self) -> str | None:
        return None if self.price is None else self.price.price_id

    @property
    def llm(self) -> str | None:
        """The catalogue's canonical model id; the provider's own name where no catalogue knows it."""
        return self.model if self.price is None else self.price.llm

    @property
    def llm_family(self) -> str | None:
        return None if self.llm is None else family_of(self.llm)

    def explain(self) -> str:
        """The receipt, as text for a person."""
        head = f"{self.provider} {self.llm or 'unknown model'} at {self.at:%Y-%m-%d %H:%M:%S} UTC"
        if self.usd is None:
            return f"{head}\n  no price known: {self.pricing_status}"
        rows = [
            (line.unit, f"{line.quantity:,}", f"× ${line.rate:f} / {line.per:,}", f"${line.amount:f}")
            for line in self.lines
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
        body = [
            f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:>{widths[3]}}"
            for row in rows
        ]
        return "\n".join([head, *body, f"  total ${self.usd:f}", f"  price {self.price_id}"])


class CostCalculator:
    """Prices answers by the catalogue, and by a home's own prices where it has any. Safe to share between threads."""

    def __init__(self, overrides: PriceOverrides | None = None) -> None:
        self._overrides = overrides or PriceOverrides()

    def cost(self, response: LLMResponse, *, at: datetime | None = None) -> Cost:
        """The exact cost of `response` at the price in force at `at` (default: when it was created, else now).

        Raises:
            UnknownModelError: no catalogue knows the model.
            UsageError: the counts contradict the model's price units.
            ArgumentError: `at` has no time zone.
        """
        if at is not None and at.tzinfo is None:
            raise ArgumentError("at", f"({at.isoformat()}) has no time zone")
        instant = (at or response.created or datetime.now(UTC)).astimezone(UTC)
        provider, model = response.provider, response.model
        price = self._overrides.apply(
            provider, model, instant, lambda: find_price(provider, model, instant, response.price_context)
        )
        counts = catalogue_counts(response.usage)
        usd = price.card.usd(counts)
        return Cost(usd, price, counts, "priced", response.provider, response.model, instant)

    def cost_of(
        self,
        *,
        model: str,
        provider: str | None = None,
        at: datetime | None = None,
        service_tier: str | None = None,
        price_context: Mapping[str, str] | None = None,
        **counts: Quantity,
    ) -> Cost:
        """The exact cost of counts by name (`input_tokens=1200, web_searches=2`), without an answer.

        The provider is the one whose naming the model follows, unless it is given.

        Raises:
            UnknownModelError, UsageError, ArgumentError: as `cost()`.
        """
        columns = {name: counts.pop(name) for name in TOKEN_COUNTS if name in counts}
        response = LLMResponse(
            provider=provider or provider_id_of(model),
            model=model,
            usage=Usage(**cast(Any, columns), other_units=counts),
            service_tier=service_tier,
            price_context=price_context or {},
        )
        return self.cost(response, at=at)

    def cost_frame(
        self,
        frame: "FrameT",
        *,
        model: str | None = None,
        provider: str | None = None,
        service_tier: str | None = None,
        discount_percent: Decimal | int | str | None = None,
        suffix: str = "",
    ) -> "FrameT":
        """A Polars frame of usage with the exact cost of every row: the same rows in the same order, more columns.

        Reads the ledger's columns (`provider`, `model`, `occurred_at`, counts, `other_units`, `service_tier`); one
        that the frame lacks counts as NULL, and a NULL `occurred_at` as now. Adds `cost_usd` (DECIMAL(18,12), equal
        to `cost()`'s), `micro_usd`, `pricing_status`, `price_id`, `llm`, `llm_family` and `unpriced_reason`. As with
        `with_columns`, columns of those names are replaced; `suffix="_what_if"` keeps what was recorded beside them.

        `model`, `provider` and `service_tier` price every row as if they had answered (a model alone: at the provider
        whose naming it follows); `discount_percent` takes that much off the price that then applies.

        A row that has no price, or counts that contradict each other, has no cost (NULL, never 0), is "unpriced", and
        says why. So is a correction: it carries differences, and a tier is chosen by the whole request.

        A LazyFrame stays lazy: `scan_parquet(…)` to `sink_parquet(…)` needs memory for a few batches only.

        Raises:
            ArgumentError: a column is missing or of the wrong type, or the discount is no exact percentage.
            UnknownModelError: no catalogue knows the `model` given.
            ModuleNotFoundError: Polars is not installed.
        """
        from tracking.cost_frame import cost_frame
        from tracking.what_if import WhatIf, discount_percent_of

        what_if = WhatIf(provider, model, service_tier, discount_percent_of(discount_percent))
        return cost_frame(frame, self._overrides, what_if, suffix)

    def unpriced(self, response: LLMResponse, *, at: datetime) -> Cost:
        """The cost of an answer no catalogue can price: not zero, unknown."""
        return Cost(None, None, {}, "unpriced", response.provider, response.model, at.astimezone(UTC))


def catalogue_counts(usage: Usage) -> dict[str, Quantity]:
    """The counts that are known, by the catalogue's unit names."""
    counts: dict[str, Quantity] = dict(usage.other_units)
    for name, count in usage.token_counts().items():
        if count is not None:
            counts[CATALOGUE_UNIT.get(name, name)] = count
    return counts
