"""What OpenRouter says in every interface it copies: what a call cost, and whose key paid for it.

Source: https://openrouter.ai/docs/use-cases/usage-accounting, https://openrouter.ai/docs/use-cases/byok.
"""

from decimal import Decimal

from tracking.answers.fields import Fields, fields_of, inside
from tracking.answers.shapes.tables import Marks
from tracking.money import EXACT
from tracking.usage import Quantity, as_quantity

PARTS = (("prompt", "completions"), ("input", "output"))
"""Of what the upstream's bill is made up, in chat completions and in responses."""

MARKS = Marks(provider="openrouter", usage_fields=("is_byok", "cost_details"), ids=("gen-",))


def reported_cost(answer: Fields) -> Quantity | None:
    """What a call cost in USD. With one's own key `cost` is OpenRouter's fee, and the upstream's bill is beside it.

    Where that bill is not told, nobody knows what the call cost.
    """
    usage = fields_of(answer.get("usage")) or {}
    told = usage.get("cost")
    if not usage.get("is_byok"):
        return None if told is None else as_quantity("usage.cost", told)
    details = fields_of(usage.get("cost_details")) or {}
    whole = [details.get("upstream_inference_cost")]
    parts = [[details.get(f"upstream_inference_{part}_cost") for part in names] for names in PARTS]
    upstream = next((bill for bill in (whole, *parts) if any(cost is not None for cost in bill)), None)
    if upstream is None:
        return None
    total: Quantity = 0
    for cost in (told, *upstream):
        if cost is not None:
            total = EXACT.add(Decimal(total), Decimal(as_quantity("usage.cost", cost)))
    return total


def perplexitys_cost(answer: Fields) -> Quantity | None:
    """Perplexity's own amount in USD: https://docs.perplexity.ai/guides/pricing."""
    told = inside(answer, "usage", "cost")
    told = inside(told, "total_cost") if fields_of(told) is not None else told
    return None if told is None else as_quantity("usage.cost", told)
