"""What the catalogue's own entries say of when, and from how many tokens on, another price is in force."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TieredPrices, TimeOfDateConstraint

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def constraints_of(model: ModelInfo) -> Iterator[object]:
    if isinstance(model.prices, list):
        yield from (conditional.constraint for conditional in model.prices)
    yield from (variant.constraint for variant in model.price_variants or ())


def instants_around_every_change(model: ModelInfo) -> set[datetime]:
    instants = {NOON}
    for constraint in constraints_of(model):
        if isinstance(constraint, StartDateConstraint):
            midnight = datetime.combine(constraint.start_date, datetime.min.time(), UTC)
            instants |= {midnight - MICROSECOND, midnight}
    for constraint in constraints_of(model):
        if isinstance(constraint, TimeOfDateConstraint):
            for moment in (constraint.start_time, constraint.end_time):
                boundary = datetime.combine(max(instants).date(), moment.replace(tzinfo=None), moment.tzinfo or UTC)
                instants |= {boundary - MICROSECOND, boundary}
    return instants


def knows_the_terms(model: ModelInfo, context: dict[str, str], at: datetime) -> bool:
    """Whether the catalogue says at `at` what the model costs on these terms; if not, what it says is of others."""
    active = [
        variant for variant in model.price_variants or () if not variant.constraint or variant.constraint.active(at)
    ]
    known = {pair for variant in active for pair in variant.when.items()}
    later = {pair for variant in model.price_variants or () for pair in variant.when.items()} - known
    return later.isdisjoint(context.items())


def prices_of(model: ModelInfo) -> list[ModelPrice]:
    prices = [model.prices] if isinstance(model.prices, ModelPrice) else [each.prices for each in model.prices]
    return prices + [variant.prices for variant in model.price_variants or ()]


def tier_starts(model: ModelInfo) -> set[int]:
    rates = [rate for prices in prices_of(model) for rate in vars(prices).values() if isinstance(rate, TieredPrices)]
    return {tier.start for rate in rates for tier in rate.tiers}
