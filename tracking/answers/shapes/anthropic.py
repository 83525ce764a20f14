"""Anthropic's messages, on its own interface and on those that copy it: Bedrock, Vertex, Azure, OpenRouter, DeepSeek.

Sources: https://platform.claude.com/docs/en/api/messages, https://platform.claude.com/docs/en/build-with-claude/
(compaction, refusals-and-fallback).
"""

from collections.abc import Mapping

from tracking.answers.fields import Fields, fields_of, inside, listed, text_in
from tracking.answers.shapes.tables import Marks, Table, counted, needed, place
from tracking.usage import Quantity, as_quantity

MARKS = (
    Marks(provider="anthropic", packages=("anthropic",)),
    Marks(provider="aws", ids=("msg_bdrk_",)),
    Marks(provider="google", ids=("msg_vrtx_",)),
)
"""The class of its SDK's objects tells nothing by itself: Bedrock and Vertex sell Claude by it too."""

UNITS_OF_ITERATION = (
    (("input_tokens",), ("input_tokens",)),
    (("cache_creation_input_tokens",), ("input_tokens", "cache_write_tokens")),
    (("cache_read_input_tokens",), ("input_tokens", "cache_read_tokens")),
    (("cache_creation", "ephemeral_5m_input_tokens"), ("cache_write_5m_tokens",)),
    (("cache_creation", "ephemeral_1h_input_tokens"), ("cache_write_1h_tokens",)),
    (("output_tokens",), ("output_tokens",)),
)
"""Where each count of one iteration stands, and the units that it is part of."""


def iterations(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    """What `usage.iterations` bills beside the top of usage, which describes the returned message alone.

    A compaction is billed at the answer's own rates. An advisor's turns, and attempts that another model declined
    after it had begun to answer, are billed at that model's: they are counted apart. An attempt declined before any
    output is not billed.
    """
    units: dict[str, Quantity] = {}
    usage = fields_of(answer.get("usage"))
    if usage is None or not (entries := usage.get("iterations")):
        return units
    for entry in listed(entries):
        if (iteration := fields_of(entry)) is None:
            continue
        kind, ran = text_in(iteration.get("type")), text_in(iteration.get("model"))
        if kind == "compaction":
            prefix = ""
        elif kind == "advisor_message":
            prefix = "advisor_"
        elif kind == "message" and ran and model and ran != model and iteration.get("output_tokens"):
            prefix = "declined_"
        else:
            continue
        for names, of_units in UNITS_OF_ITERATION:
            if count := inside(iteration, *names):
                count = as_quantity(f"usage.iterations.{'.'.join(names)}", count)
                for unit in of_units:
                    units[prefix + unit] = units.get(prefix + unit, 0) + count
    return units


def refused(answer: Fields) -> bool:
    """A request that a classifier declined before any output: Anthropic does not bill it."""
    return answer.get("stop_reason") == "refusal" and not inside(answer, "usage", "output_tokens")


MESSAGES = Table(
    "messages",
    place("usage"),
    (
        needed("input_tokens", "input_tokens"),
        counted("input_tokens", "cache_creation_input_tokens"),
        counted("input_tokens", "cache_read_input_tokens"),
        counted("cache_read_tokens", "cache_read_input_tokens"),
        counted("cache_write_tokens", "cache_creation_input_tokens"),
        counted("cache_write_5m_tokens", "cache_creation.ephemeral_5m_input_tokens"),
        counted("cache_write_1h_tokens", "cache_creation.ephemeral_1h_input_tokens"),
        needed("output_tokens", "output_tokens"),
        counted("output_reasoning_tokens", "output_tokens_details.thinking_tokens"),
        counted("web_searches", "server_tool_use.web_search_requests | server_tool_use_details.web_search_requests"),
        counted("code_executions", "server_tool_use.code_execution_requests"),
    ),
    total=place("total_tokens"),
    more=iterations,
    waived=refused,
)
