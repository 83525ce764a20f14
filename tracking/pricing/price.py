"""`Price`: the rates of one model in force at one instant, with a name that can be kept for ever."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tracking.pricing.rate_card import RateCard


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
    price_id: str = field(init=False)
    """Source, version, provider and model in words, and a hash of the rates. Usable as a file name."""

    def __post_init__(self) -> None:
        digest = hashlib.sha256(json.dumps(self.entry(), sort_keys=True).encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", self.llm)[:80]
        object.__setattr__(self, "price_id", f"{self.source}-{self.version}.{self.provider}.{name}.{digest}")

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
        }
