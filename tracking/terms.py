"""By what besides its model a call is priced: service tier, speed, batch."""

import json
from typing import Any, cast

from tracking.errors import CostTrackingError

IMPLIED_BY_TIER = {"batch": {"processing": "batch"}, "fast": {"speed": "fast"}}
"""The catalogue prices some tiers under another name."""


def terms_of_tier(service_tier: str | None) -> dict[str, str]:
    """What of a price's context a service tier stands for."""
    if service_tier is None:
        return {}
    return {"service_tier": service_tier, **IMPLIED_BY_TIER.get(service_tier, {})}


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
