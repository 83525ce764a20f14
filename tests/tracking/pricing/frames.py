"""Frames of calls, and what `CostCalculator` says of each of their rows."""

import json
from decimal import Decimal
from typing import Any

import polars as pl
from catalogued import NOON
from genai_prices.data import providers

from tracking import CostCalculator, LLMResponse, Usage
from tracking.assumptions import assumptions_json
from tracking.errors import CostTrackingError
from tracking.usage import TOKEN_COUNTS

MODELS = [
    (provider.id, model)
    for provider in providers
    for model in provider.models
    if provider.find_model(model.id) is model  # some ids are no name a provider answers under
]
SCHEMA = {
    "provider": pl.String(),
    "model": pl.String(),
    "service_tier": pl.String(),
    "price_context": pl.String(),
    "region": pl.String(),
    "occurred_at": pl.Datetime("us", "UTC"),
    **{name: pl.Int64() for name in TOKEN_COUNTS},
    "other_units": pl.String(),
}
SAID = ("cost_usd", "micro_usd", "pricing_status", "price_id", "price_assumptions")
NEW = (
    *("cost_usd", "micro_usd", "pricing_status", "price_assumptions", "price_id", "llm", "llm_family"),
    "unpriced_reason",
)


def row(provider: Any = "openai", model: Any = "gpt-4o", at: Any = NOON, **fields: Any) -> dict[str, Any]:
    return dict.fromkeys(SCHEMA) | {"provider": provider, "model": model, "occurred_at": at} | fields


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, SCHEMA, orient="row")


def by_row(row: dict[str, Any], calculator: CostCalculator) -> tuple[Any, ...]:
    """What the calculator itself says of a row: money, status and price, all unknown where it refuses."""
    units = json.loads(row["other_units"], parse_float=Decimal) if row["other_units"] else {}
    try:
        context = json.loads(row["price_context"] or "{}")
        if not isinstance(context, dict):
            raise CostTrackingError("not a mapping")
        usage = Usage(**{name: row[name] for name in TOKEN_COUNTS}, other_units=units)
        response = LLMResponse(
            provider=row["provider"],
            model=row["model"],
            usage=usage,
            service_tier=row["service_tier"],
            price_context=context,
            region=row["region"],
        )
        cost = calculator.cost(response, at=row["occurred_at"])
    except CostTrackingError:
        return (None, None, "unpriced", None, None)
    if cost.cost_usd is not None and cost.cost_usd >= 1_000_000:
        return (None, None, "unpriced", None, None)
    return (cost.cost_usd, cost.micro_usd, cost.pricing_status, cost.price_id, assumptions_json(cost.assumptions))


def assert_same_as_by_row(frame: pl.DataFrame, calculator: CostCalculator, **what_if: Any) -> pl.DataFrame:
    priced = calculator.cost_frame(frame, **what_if)
    assert priced.select(frame.columns).equals(frame)
    assert priced.columns == [*frame.columns, *NEW]
    asked = {name: value for name, value in what_if.items() if name in ("provider", "model", "service_tier")}
    asked |= {"price_context": None} if "service_tier" in asked else {}
    asked |= {"region": None} if "provider" in asked or "model" in asked else {}
    for given_row, costs in zip(frame.to_dicts(), priced.select(SAID).iter_rows(), strict=True):
        assert costs == by_row(given_row | asked, calculator), given_row
    reasons = priced.filter(pl.col("cost_usd").is_null() != pl.col("unpriced_reason").is_not_null())
    assert reasons.is_empty(), "a row without cost says why, and no other row does"
    return priced
