"""What OpenRouter says in every interface it copies: what a call cost, and whose key paid for it.

Source: https://openrouter.ai/docs/use-cases/usage-accounting, https://openrouter.ai/docs/use-cases/byok.
"""

from tracking.answers.fields import Fields, fields_of, inside
from tracking.answers.shapes.tables import Marks
from tracking.money import EXACT
from tracking.usage import Quantity, as_quantity

MARKS = Marks(provider="openrouter", usage_fields=("is_byok", "cost_details"), ids=("gen-",))


def reported_cost(answer: Fields) -> Quantity | None:
    """What a call cost in USD. With one's own key `cost` is OpenRouter's fee, and the upstream's bill is beside it."""
    usage = fields_of(answer.get("usage")) or {}
    told = usage.get("cost")
    if not usage.get("is_byok"):
        return None if told is None else as_quantity("usage.cost", told)
    details = fields_of(usage.get("cost_details")) or {}
    upstream = [details.get("upstream_inference_cost")]
    if upstream == [None]:
        upstream = [details.get(f"upstream_inference_{part}_cost") for part in ("input", "output")]
    known = [as_quantity("usage.cost", cost) for cost in (told, *upstream) if cost is not None]
    total: Quantity | None = None
    for cost in known:
        total = cost if total is None else EXACT.add(total, cost)
    return total


def perplexitys_cost(answer: Fields) -> Quantity | None:
    """Perplexity's own amount in USD: https://docs.perplexity.ai/guides/pricing."""
    told = inside(answer, "usage", "cost")
    told = inside(told, "total_cost") if fields_of(told) is not None else told
    return None if told is None else as_quantity("usage.cost", told)
