"""xAI's answers: its SDK's objects, and what it adds to OpenAI's interfaces.

Reasoning stands beside the completion, and the cost of each call is in its usage. Where more is cached than was sent,
what is billed is the cached (five recorded answers of pydantic/pydantic-ai state their cost, to the last digit).
Sources: https://docs.x.ai/developers/cost-tracking, https://docs.x.ai/developers/pricing#tools-pricing, xai-sdk.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tracking.answers.fields import Fields, fields_of, inside, listed, text_in
from tracking.answers.shapes.tables import Conditions, Marks, Table, conditions_of, counted, needed, place
from tracking.money import EXACT
from tracking.usage import Quantity, as_quantity

MARKS = Marks(provider="x-ai", packages=("xai_sdk",))

NOTHING: Mapping[str, Any] = {}

TICKS_PER_USD = Decimal(10**10)

TOOLS = {
    "web_search": "web_searches",
    "x_search": "social_searches",
    "code_execution": "code_executions",
    "code_interpreter": "code_executions",
    "collections_search": "storage_searches",
    "file_search": "storage_searches",
    "document_search": "storage_searches",
    "attachment_search": "attachment_searches",
    "image_search": "image_searches",
    "image_generation": "image_generations",
}
"""The units that its server-side tools are billed by; those of MCP servers and of looking at media are not."""


def server_side_tools(answer: Fields) -> Mapping[str, Quantity]:
    """The tools xAI ran: by number in JSON (`{"web_search_calls": 2}`), by name in the SDK's objects."""
    usage = fields_of(answer.get("usage")) or NOTHING
    details, used = usage.get("server_side_tool_usage_details"), usage.get("server_side_tools_used")
    if details is None and used is None:
        return NOTHING
    units: dict[str, Quantity] = {}
    for name, calls in (fields_of(details) or {}).items():
        if calls and (unit := TOOLS.get(name.removesuffix("_calls"))):
            units[unit] = units.get(unit, 0) + as_quantity(name, calls)
    for tool in listed(used):
        name = text_in(tool) or ""
        if unit := TOOLS.get(name.removeprefix("SERVER_SIDE_TOOL_").lower()):
            units[unit] = units.get(unit, 0) + 1
    return units


def more_units(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    return server_side_tools(answer)


def conditions(answer: Fields) -> Conditions:
    tier = (text_in(answer.get("service_tier")) or "").removeprefix("SERVICE_TIER_").lower()
    return conditions_of(None if tier in ("", "unspecified", "invalid") else tier)


TABLES = (
    Table(
        "xai sdk",
        place("usage"),
        (
            needed("input_tokens", "prompt_tokens"),
            needed("output_tokens", "completion_tokens"),
            counted("output_tokens", "reasoning_tokens"),
            counted("output_reasoning_tokens", "reasoning_tokens"),
            counted("cache_read_tokens", "cached_prompt_text_tokens"),
            counted("input_image_tokens", "prompt_image_tokens"),
            counted("search_sources", "num_sources_used"),
        ),
        total=place("total_tokens"),
        only_of=frozenset({MARKS.provider}),
        conditions=conditions,
        more=more_units,
    ),
)


def reported_cost(answer: Fields) -> Quantity | None:
    """What the call cost in USD, which is stated in ticks."""
    ticks = inside(answer, "usage", "cost_in_usd_ticks")
    return None if ticks is None else EXACT.divide(Decimal(as_quantity("cost_in_usd_ticks", ticks)), TICKS_PER_USD)
