"""What OpenRouter says in every interface it copies: what a call cost, and whose key paid for it.

Source: https://openrouter.ai/docs/use-cases/usage-accounting, https://openrouter.ai/docs/use-cases/byok.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from tracking.answers.fields import Fields, fields_of, inside, listed
from tracking.answers.shapes.openai import CHAT, RESPONSES, hosted_tools
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


def own_tools(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    """What OpenRouter did itself and bills apart without saying how much: files it parsed, tools besides the search.

    Its advisor, say, is another model, whose tokens no count tells:
    https://openrouter.ai/docs/guides/features/server-tools/advisor.
    """
    units: dict[str, Quantity] = {}
    usage = fields_of(answer.get("usage")) or {}
    if details := fields_of(usage.get("server_tool_use_details")):
        executed, searched = (details.get(name) or 0 for name in ("tool_calls_executed", "web_search_requests"))
        if others := as_quantity("tool_calls_executed", executed) - as_quantity("web_search_requests", searched):
            units["server_tool_calls"] = max(others, 0)
    for choice in listed(answer.get("choices")):
        message = fields_of((fields_of(choice) or {}).get("message")) or {}
        for annotation in listed(message.get("annotations")):
            if inside(annotation, "type") == "file":
                units["parsed_files"] = units.get("parsed_files", 0) + 1
    return units


def tools_of_response(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    return {**hosted_tools(answer, model), **own_tools(answer, model)}


TABLES = (
    replace(CHAT, name="openrouter chat", only_of=frozenset({MARKS.provider}), more=own_tools),
    replace(RESPONSES, name="openrouter responses", only_of=frozenset({MARKS.provider}), more=tools_of_response),
)
