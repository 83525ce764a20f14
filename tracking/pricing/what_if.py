"""Which price a row of usage has, as it happened or under another model, tier or discount, and when that changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tracking.answers.response import LLMResponse
from tracking.errors import ArgumentError, CostTrackingError, UnknownModelError, UsageError
from tracking.money import COST_PLACES, EXACT, to_cost_usd
from tracking.pricing.linear_rates import MOST_PICOS, NOT_LINEAR, LinearCard, linear
from tracking.pricing.price import Price
from tracking.pricing.sources import catalogue
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.terms import context_from_json
from tracking.usage import TOKEN_COUNTS, Usage, catalogue_counts, units_from_json

MOST_USD = Decimal(MOST_PICOS).scaleb(-COST_PLACES)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What to price instead of what happened; `None` leaves it as it was."""

    provider: str | None = None
    model: str | None = None
    service_tier: str | None = None
    discount_percent: Decimal | None = None


def discount_percent_of(value: object) -> Decimal | None:
    """An exact percentage of a price, 0 to 100.

    Raises:
        ArgumentError: a float, or no such percentage.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ArgumentError("discount_percent", f"({value!r}) is not exact; give a Decimal, a whole number or a text")
    try:
        percent = Decimal(value)
    except ArithmeticError:
        raise ArgumentError("discount_percent", f"({value!r}) is not a number") from None
    if not (percent.is_finite() and 0 <= percent <= 100):
        raise ArgumentError("discount_percent", f"({value}) is not between 0 and 100")
    return percent


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of one kind of row, or the reason why it has none."""

    model: str | None
    price: Price | None
    card: LinearCard
    reason: str | None = None

    @property
    def llm(self) -> str | None:
        return self.model if self.price is None else self.price.llm


class PriceFinder:
    """Finds prices by provider, model, tier and instant, in whole microseconds since 1970.

    Safe to share between threads: what it remembers is only ever added to.
    """

    def __init__(self, overrides: PriceOverrides, discount_percent: Decimal | None) -> None:
        self._overrides = overrides
        self.by_tenant = overrides.by_tenant
        self._discount_percent = discount_percent
        self._prices: dict[Price, tuple[Price, LinearCard]] = {}

    def check_known(self, provider: str, model: str, now: int) -> None:
        """Refuse a model that has no price at any time.

        Raises:
            UnknownModelError: with the nearest known names.
        """
        instants, *_ = self.changes(provider, model)
        if all(self.find(provider, model, None, None, None, None, at).price is None for at in {now, *instants}):
            raise UnknownModelError(provider, model, catalogue.nearest_names(provider, model))

    def find(
        self,
        provider: str,
        model: str | None,
        service_tier: str | None,
        price_context: str | None,
        region: str | None,
        tenant: str | None,
        at: int,
    ) -> Quote:
        """The price in force, less the discount. `price_context` is the ledger's: JSON."""
        try:
            # It refuses what a recorded answer could not be, and knows what a tier means to a price.
            answer = LLMResponse(
                provider=provider,
                model=model,
                usage=Usage(),
                service_tier=service_tier,
                price_context=context_from_json(price_context),
                region=region,
            )
            instant = EPOCH + timedelta(microseconds=at)
            terms = answer.terms if tenant is None else {**answer.terms, "tenant": tenant}
            price = self._overrides.apply(
                provider, model, instant, terms, lambda: catalogue.find_price(provider, model, instant, answer.terms)
            )
        except OverflowError:
            return Quote(model, None, NOT_LINEAR, "occurred_at is outside the years 1 to 9999")
        except CostTrackingError as error:
            return Quote(model, None, NOT_LINEAR, str(error))
        known = self._prices.get(price)
        if known is None:
            asked_for = price if self._discount_percent is None else _discounted(price, self._discount_percent)
            known = self._prices[price] = (asked_for, linear(asked_for.card))
        return Quote(model, *known)

    def changes(self, provider: str, model: str | None) -> tuple[set[int], set[int], bool]:
        """The instants, and the UTC times of day, from which a model may have another price; whether on any day too."""
        instants: set[int] = set()
        times: set[int] = set()
        instants |= {as_microseconds(instant) for instant in self._overrides.changes(provider, model)}
        known = catalogue.catalogued_model(provider, model)
        if known is not None:
            instants |= {as_microseconds(instant) for instant in known.change_instants}
            times |= {as_microseconds(datetime.combine(EPOCH, moment, UTC)) for moment in known.change_times}
        return instants, times, known is not None and known.varies_by_day


def as_microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def _discounted(price: Price, percent: Decimal) -> Price:
    context = {**price.context, "what_if_discount_percent": str(percent)}
    card = price.card.discounted(percent)
    return replace(price, source=f"{price.source}+what-if", context=context, card=card)


def picos_of(row: Mapping[str, Any], price: Price) -> int:
    """What one row of the ledger costs at a price, by the price's own card, in 10^-12 USD.

    Raises:
        UsageError: counts that contradict each other or the price, or cost more than the ledger can hold.
    """
    counts = {name: row[name] for name in TOKEN_COUNTS}
    usd = price.card.usd(catalogue_counts(Usage(**counts, other_units=units_from_json(row["other_units"]))))
    if usd > MOST_USD:
        raise UsageError(f"cost_usd ({usd}) is more than the ledger's DECIMAL(18,12) can hold")
    return int(to_cost_usd(usd).scaleb(COST_PLACES, context=EXACT))
