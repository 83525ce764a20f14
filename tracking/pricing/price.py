"""`Price`: the rates of one model in force at one instant, with a name that can be kept for ever."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tracking.assumptions import Assumption, assumption
from tracking.pricing.own_rates import OUTPUT, assumed_for, is_undivided, plain_units
from tracking.pricing.rate_card import REMEMBERED_BILLINGS, RateCard
from tracking.usage import Quantity

DISCOUNT = "discount_percent"
"""In the context of a price: a discount of one's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Price:
    """The rates of one model in force at one instant, and where they come from."""

    source: str
    version: str
    provider: str
    llm: str
    """The catalogue's canonical id of the model."""
    context: Mapping[str, str]
    """What of the request chose these rates among the model's: its service tier, say."""
    card: RateCard
    assumptions: tuple[Assumption, ...] = ()
    """What these rates rest on, whatever is billed by them."""
    doubtful: Mapping[str, Assumption] = field(default_factory=dict[str, Assumption])
    """What the rates of single units rest on."""
    settled: frozenset[str] = frozenset()
    """Units known to be billed as the rest of their kind, or not at all."""
    facts: tuple[str, ...] = ()
    """The public sources of what is not from `source` itself."""
    price_id: str = field(init=False)
    """Source, version, provider and model in words, and a hash of the rates. Usable as a file name."""
    _in_question: dict[tuple[str, ...], tuple[str, ...]] = field(
        init=False, default_factory=dict[tuple[str, ...], tuple[str, ...]], repr=False
    )
    """By the units counted, those that this price does not plainly bill: worked out once for each kind of answer."""

    def __post_init__(self) -> None:
        digest = hashlib.sha256(json.dumps(self.entry(), sort_keys=True).encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", self.llm)[:80]
        object.__setattr__(self, "price_id", f"{self.source}-{self.version}.{self.provider}.{name}.{digest}")

    def assumed(self, counts: Mapping[str, Quantity]) -> tuple[Assumption, ...]:
        """What it takes to bill these counts by this price; nothing where each has a rate of its own, known then."""
        units = tuple(counts)
        in_question = self._in_question.get(units)
        if in_question is None:
            in_question = self._in_question[units] = self._not_plain(units)
        assumed = self.assumptions
        for unit in in_question:
            if counts[unit] and (of_unit := self._assumed_for(unit)):
                assumed = (*assumed, of_unit)
        return assumed

    def _not_plain(self, units: tuple[str, ...]) -> tuple[str, ...]:
        if len(self._in_question) >= REMEMBERED_BILLINGS:
            self._in_question.clear()
        plain = plain_units(rate.unit for rate in self.card.rates) | self.settled
        in_question = {unit for unit in units if unit in self.doubtful or unit not in plain}
        if OUTPUT not in self.settled and is_undivided(units, self.card.rates):
            in_question.add(OUTPUT)
        return tuple(sorted(in_question))

    def _assumed_for(self, unit: str) -> Assumption | None:
        assumed = self.doubtful.get(unit) or assumed_for(unit, (rate.unit for rate in self.card.rates))
        if assumed is None and unit == OUTPUT:
            return assumption("standard_rate_for", "output_tokens of no named kind")
        return assumed

    def entry(self) -> dict[str, Any]:
        """Everything needed to compute with this price again: USD rates by unit, with tiers, as decimal text."""
        minimum = self.card.minimum
        return {
            "source": self.source,
            "version": self.version,
            "provider": self.provider,
            "model": self.llm,
            "context": dict(self.context),
            "rates": [
                {
                    "unit": rate.unit,
                    "per": int(rate.per),
                    "usd": str(rate.base),
                    "tiers": [{"above_input_tokens": tier.above, "usd": str(tier.rate)} for tier in rate.tiers],
                    "without": sorted(rate.within),
                }
                for rate in self.card.rates
            ],
            "minimum": None if minimum is None else {"units": minimum.units, "least": minimum.least},
            **({"facts": list(self.facts)} if self.facts else {}),
        }
