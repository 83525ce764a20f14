"""By what besides its model a call is priced: service tier, speed, batch."""

import json
from collections.abc import Container, Mapping
from functools import lru_cache
from typing import Any, cast

from tracking.errors import CostTrackingError

IMPLIED_BY_TIER = {"batch": {"processing": "batch"}, "fast": {"speed": "fast"}}
"""The catalogue prices some tiers under another name."""

ORDINARY: dict[str, frozenset[str]] = {
    "service_tier": frozenset({"", "default", "standard", "auto", "on_demand", "standard_only", "not_available"}),
    "speed": frozenset({"", "default", "standard", "normal", "not_available"}),
    "processing": frozenset({"", "default", "standard", "realtime", "on_demand"}),
    "region": frozenset({"", "global", "default", "not_available"}),
}
"""What the list price is for: a call on these terms has it, and nothing is assumed."""


@lru_cache(maxsize=1024)
def terms_of_tier(service_tier: str | None) -> Mapping[str, str]:
    """What of a price's context a service tier stands for."""
    if service_tier is None:
        return {}
    return {"service_tier": service_tier, **IMPLIED_BY_TIER.get(service_tier, {})}


def implied_by(term: str, value: str) -> Mapping[str, str]:
    """What else a term stands for; only a service tier does."""
    return IMPLIED_BY_TIER.get(value, {}) if term == "service_tier" else {}


def is_ordinary(term: str, value: str) -> bool:
    """Whether a term is the one that list prices are for."""
    return value.lower() in ORDINARY.get(term, ())


def unmet_terms(terms: Mapping[str, str], met: Container[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The terms that are neither ordinary nor among those `met`; what a tier stands for is told by the tier alone."""
    unmet = {term: value for term, value in terms.items() if (term, value) not in met and not is_ordinary(term, value)}
    implied = implied_by("service_tier", terms.get("service_tier", "")).items()
    if any(pair in met for pair in implied):
        unmet.pop("service_tier", None)
    return tuple(pair for pair in unmet.items() if pair not in implied)


def context_from_json(text: str | None) -> dict[str, str]:
    """What the ledger's column `price_context` holds.

    Raises:
        CostTrackingError: not the JSON of a mapping from text to text.
    """
    try:
        context: object = {} if text is None else json.loads(text)
    except ValueError as error:
        raise CostTrackingError(f"price_context is not JSON: {error}") from None
    if not isinstance(context, dict) or not all(isinstance(value, str) for value in cast(Any, context).values()):
        raise CostTrackingError("price_context is not the JSON of a mapping from text to text")
    return cast("dict[str, str]", context)
