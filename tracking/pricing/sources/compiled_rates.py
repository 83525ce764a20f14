"""From genai-prices' rates to a `RateCard`: which unit lies within which is worked out once, not per call."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

from tracking.pricing.rate_card import REQUESTS, Minimum, Rate, RateCard, Tier

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices
    from genai_prices.units import UnitDef, UnitRegistry

# The catalogue has no field for a minimum; genai-prices applies this one in code (`ModelInfo.calc_price`).
MINIMUMS = {
    ("groq", model): Minimum(("audio_seconds", "input_audio_seconds"), 10)
    for model in ("whisper-large-v3", "whisper-large-v3-turbo")
}


def rate_names() -> frozenset[str]:
    """The names rates go by, e.g. `input_mtok`: USD for a million input tokens."""
    from genai_prices.units import _get_registry  # pyright: ignore[reportPrivateUsage]

    return frozenset(unit.price_key for unit in _get_registry().units.values())


GivenRate = Decimal | tuple[Decimal, tuple[tuple[int, Decimal], ...]]
"""USD per `per` units, or that and what it is above so many input tokens."""


def given_rates(prices: "ModelPrice") -> dict[str, GivenRate]:
    """Rates by their names."""
    return {name: _given(rate) for name, rate in vars(prices).items() if rate is not None}


def _given(rate: object) -> GivenRate:
    from genai_prices.types import TieredPrices

    if isinstance(rate, TieredPrices):
        return rate.base, tuple((tier.start, tier.price) for tier in rate.tiers)
    if isinstance(rate, Decimal):
        return rate
    raise TypeError(f"a rate of type {type(rate).__name__} is not known")


@cache
def unit_of_rate(name: str) -> str:
    """The unit that a rate is for: `input_tokens` of `input_mtok`."""
    from genai_prices.units import _get_registry  # pyright: ignore[reportPrivateUsage]

    return _get_registry().unit_for_price_key(name).usage_key


@cache
def is_of_tokens(unit: str) -> bool:
    """Whether a unit counts tokens, of whatever kind."""
    from genai_prices.units import _get_registry  # pyright: ignore[reportPrivateUsage]

    known = _get_registry().units.get(unit)
    return known is not None and known.dimensions.get("family") == "tokens"


def card_of_rates(provider: str, model: str, rates: Mapping[str, GivenRate]) -> RateCard:
    """The card for rates by their names.

    Raises:
        ValueError: a rate for a part without one for its whole, or for two overlapping units without their overlap.
    """
    from genai_prices.units import _get_registry  # pyright: ignore[reportPrivateUsage]
    from genai_prices.validation import validate_model_price

    validate_model_price(set(rates), _get_registry())
    return compiled(provider, model, rates)


def compiled(provider: str, model: str, rates: Mapping[str, GivenRate]) -> RateCard:
    """The card for rates by their names, which are known to go together."""
    from genai_prices.types import ModelPrice

    return compile_rates(provider, model, ModelPrice(**{name: _catalogued(rate) for name, rate in rates.items()}))


def _catalogued(rate: GivenRate) -> "Decimal | TieredPrices":
    from genai_prices.types import Tier as CataloguedTier
    from genai_prices.types import TieredPrices

    if isinstance(rate, Decimal):
        return rate
    base, tiers = rate
    return TieredPrices(base=base, tiers=[CataloguedTier(start=start, price=price) for start, price in tiers])


def compile_rates(provider: str, model: str, prices: "ModelPrice") -> RateCard:
    """The card for one set of rates of one model."""
    from genai_prices.units import _get_registry  # pyright: ignore[reportPrivateUsage]

    registry = _get_registry()
    priced = [(registry.unit_for_price_key(key), rate) for key, rate in vars(prices).items() if rate is not None]
    units = [unit for unit, _ in priced]
    return RateCard(
        (_rate(unit, rate, units, registry) for unit, rate in priced),
        MINIMUMS.get((provider, model)),
    )


def _rate(unit: "UnitDef", rate: object, priced_units: list["UnitDef"], registry: "UnitRegistry") -> Rate:
    from genai_prices.types import TieredPrices

    if isinstance(rate, TieredPrices):
        base, tiers = rate.base, tuple(Tier(tier.start, tier.price) for tier in rate.tiers)
    elif isinstance(rate, Decimal):
        base, tiers = rate, ()
    else:
        raise TypeError(f"a rate of type {type(rate).__name__} is not known")
    implied_by = () if unit.usage_key == REQUESTS else _implied_by(unit, registry)
    return Rate(
        unit=unit.usage_key,
        per=Decimal(unit.per),
        base=base,
        tiers=tiers,
        within=tuple(other.usage_key for other in priced_units if _lies_within(other, unit)),
        implied_by=implied_by,
        watched=frozenset[str]().union(*implied_by),
    )


def _lies_within(part: "UnitDef", whole: "UnitDef") -> bool:
    """A unit lies within another where it has all of its dimensions and more."""
    return part is not whole and whole.dimensions.items() <= part.dimensions.items()


def _implied_by(unit: "UnitDef", registry: "UnitRegistry") -> tuple[frozenset[str], ...]:
    """A part of the unit implies it, and so do two overlapping units whose overlap it is."""
    others = [other for other in registry.units.values() if other is not unit]
    parts = [frozenset({other.usage_key}) for other in others if _lies_within(other, unit)]
    wholes = [other for other in others if _lies_within(unit, other)]
    overlaps = [
        frozenset({one.usage_key, two.usage_key})
        for one, two in combinations(wholes, 2)
        if not _lies_within(one, two)
        and not _lies_within(two, one)
        and unit.dimensions == {**one.dimensions, **two.dimensions}
    ]
    return (*parts, *overlaps)
