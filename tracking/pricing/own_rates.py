"""Whether what an answer counts has a rate of its own on a card, or is billed as something else, or not at all."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from tracking.assumptions import Assumption, assumption

if TYPE_CHECKING:
    from genai_prices.units import UnitDef

    from tracking.pricing.rate_card import Rate

CUSTOMARY = frozenset({("token_type", "reasoning"), ("token_type", "tool"), ("modality", "text"), ("cache_ttl", "5m")})
"""What every seller bills as the rest of its kind unless it says otherwise: no assumption."""

CUSTOMARY_INPUT = CUSTOMARY | {("modality", "image"), ("modality", "video")}
"""Pictures that are counted in tokens are billed as tokens of text are; sound, and what is made, are not."""


OUTPUT = "output_tokens"
MADE = frozenset(f"output_{kind}_tokens" for kind in ("text", "audio", "image", "video"))
"""What the tokens of an output can be of."""


@cache
def _units() -> "dict[str, UnitDef]":
    from genai_prices.units import _get_registry  # pyright: ignore[reportPrivateUsage]

    return {unit.usage_key: unit for unit in _get_registry().units.values()}


def assumed_for(unit: str, priced_units: Iterable[str]) -> Assumption | None:
    """What it takes to bill a unit on a card with rates for the `priced` units; `None` where nothing is assumed."""
    priced_units = frozenset(priced_units)
    if unit in priced_units:
        return None
    definition = _units().get(unit)
    if definition is None:
        return assumption("unpriced_unit", unit)
    dimensions = definition.dimensions.items()
    wholes = [whole for name in priced_units if (whole := _units()[name]).dimensions.items() <= dimensions]
    if not wholes:
        return assumption("unpriced_unit", unit)
    nearest = max(wholes, key=lambda whole: len(whole.dimensions))
    beyond = dimensions - nearest.dimensions.items()
    customary = CUSTOMARY_INPUT if definition.dimensions.get("direction") == "input" else CUSTOMARY
    return None if beyond <= customary else assumption("standard_rate_for", unit)


def plain_units(priced_units: Iterable[str]) -> frozenset[str]:
    """Every unit that a card with rates for the `priced` units bills without an assumption."""
    priced_units = frozenset(priced_units)
    return frozenset(unit for unit in _units() if assumed_for(unit, priced_units) is None)


def is_undivided(units: Iterable[str], rates: Iterable["Rate"]) -> bool:
    """Whether an output is counted as a whole though what it may be of costs differently: pictures, or sound."""
    if OUTPUT not in units or not MADE.isdisjoint(units):
        return False
    bases = {rate.unit: rate.base for rate in rates if rate.unit in MADE or rate.unit == OUTPUT}
    return OUTPUT in bases and any(base != bases[OUTPUT] for base in bases.values())
