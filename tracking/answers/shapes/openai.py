"""OpenAI's interfaces, which most providers and hosts copy: chat completions, responses, realtime, embeddings, images.

Sources: https://platform.openai.com/docs/api-reference and what its copies add, as recorded by pydantic/pydantic-ai
and traceloop/openllmetry; hosted tools: https://platform.openai.com/docs/pricing#built-in-tools.
"""

from collections.abc import Mapping
from typing import Any

from tracking.answers.fields import Fields, fields_of, inside, listed, text_in
from tracking.answers.shapes.tables import Conditions, Marks, Table, counted, needed, place, plain_conditions
from tracking.answers.shapes.xai import server_side_tools
from tracking.usage import Quantity, as_quantity

MARKS = Marks(provider="azure", fields=("prompt_filter_results",))

SEARCHING_MODELS = ("-search-preview", "-search-api")
"""Models that search the web at each call, in chat completions."""

HOSTED_TOOLS = {
    "web_search_call": "web_searches",
    "file_search_call": "storage_searches",
    "image_generation_call": "image_generations",
    "code_interpreter_call": "code_interpreter_sessions",
    "shell_call": "code_interpreter_sessions",
    "x_search_call": "social_searches",
}
"""The unit that each kind of item in a response's output is billed by; all others are not billed."""

EXECUTED_TOOLS = {"search": "web_searches", "browser_search": "web_searches", "python": "code_executions"}
"""Groq's, of its compound systems: https://console.groq.com/docs/compound."""

PREVIEW = "web_search_preview"
"""What the tools' types begin with that search as searches did before they were generally available."""

NOTHING: Mapping[str, Any] = {}


def hosted_tools(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    """The tools a response used that are billed apart: of web searches the action `search` alone (litellm#39610).

    A code interpreter and a hosted shell are billed by the container they run in. What an image tool counts by itself
    is of another model. An answer that is pictures has made nothing else unless it says so
    (https://platform.openai.com/docs/api-reference/images/object).
    """
    units: dict[str, Quantity] = {}
    containers: set[str] = set()
    for item in listed(answer.get("output")):
        fields = fields_of(item) or NOTHING
        kind = fields.get("type")
        unit = HOSTED_TOOLS.get(kind) if isinstance(kind, str) else None
        if unit is None or fields.get("status") not in (None, "completed"):
            continue
        if kind == "web_search_call" and inside(fields, "action", "type") not in (None, "search"):
            continue
        if unit == "code_interpreter_sessions":
            container = fields.get("container_id")
            if kind == "shell_call" and (container := inside(fields, "environment", "container_id")) is None:
                continue  # on the caller's own machine
            if str(container) in containers:
                continue
            containers.add(str(container))
        units[unit] = units.get(unit, 0) + 1
    if (tools := answer.get("tool_usage")) is not None:
        for direction in ("input", "output"):
            if tokens := inside(tools, "image_gen", f"{direction}_tokens"):
                name = f"tool_usage.image_gen.{direction}_tokens"
                units[f"image_generation_{direction}_tokens"] = as_quantity(name, tokens)
    for unit, calls in server_side_tools(answer).items():
        units[unit] = max(units.get(unit, 0), calls)
    is_pictures = "output" not in answer and "image" in (model or "")
    made = inside(answer, "usage", "output_tokens") if is_pictures else None
    if made and not inside(answer, "usage", "output_tokens_details"):
        units["output_image_tokens"] = as_quantity("usage.output_tokens", made)
    return units


def conditions(answer: Fields) -> Conditions:
    """What `plain_conditions` says, and whether it was the older web search that searched, which has its own price."""
    plain, tools = plain_conditions(answer), answer.get("tools")
    if not tools or not any(inside(item, "type") == "web_search_call" for item in listed(answer.get("output"))):
        return plain
    if any((text_in(inside(tool, "type")) or "").startswith(PREVIEW) for tool in listed(tools)):
        return plain._replace(terms={**plain.terms, "web_search": "preview"})
    return plain


def kept_item(item: object) -> Fields:
    """Of an item of a stream's output, what says whether it is billed."""
    fields = fields_of(item) or NOTHING
    kept = {name: fields.get(name) for name in ("type", "status", "container_id")}
    return kept | {"action": {"type": inside(fields, "action", "type")}}


def searching_models(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    """The web searches of chat completions, which no count tells: of models that always search, and Groq's systems."""
    if model is None or not ("-search-" in model or "compound" in model):
        return NOTHING
    if any(mark in model for mark in SEARCHING_MODELS):
        return {"web_searches": 1}
    units: dict[str, Quantity] = {}
    if "compound" in model:
        for choice in listed(answer.get("choices")):
            for tool in listed(inside(choice, "message", "executed_tools")):
                kind = inside(tool, "type")
                if unit := EXECUTED_TOOLS.get(kind) if isinstance(kind, str) else None:
                    units[unit] = units.get(unit, 0) + 1
    return units


CHAT = Table(
    "chat",
    place("usage"),
    (
        needed("input_tokens", "prompt_tokens"),
        needed("output_tokens", "completion_tokens"),
        counted(
            "cache_read_tokens",
            "prompt_tokens_details.cached_tokens | prompt_token_details.cached_tokens | prompt_cache_hit_tokens"
            " | cached_tokens | num_cached_tokens | cached_prompt_text_tokens | cache_read_input_tokens",
        ),
        counted(
            "cache_write_tokens",
            "prompt_tokens_details.cache_write_tokens | prompt_tokens_details.cache_creation_tokens"
            " | cache_creation_input_tokens",
        ),
        counted(
            "cache_write_5m_tokens",
            "prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens"
            " | cache_creation.ephemeral_5m_input_tokens",
        ),
        counted(
            "cache_write_1h_tokens",
            "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens"
            " | cache_creation.ephemeral_1h_input_tokens",
        ),
        counted("input_audio_tokens", "prompt_tokens_details.audio_tokens"),
        counted("input_image_tokens", "prompt_tokens_details.image_tokens | prompt_image_tokens"),
        counted("input_video_tokens", "prompt_tokens_details.video_tokens"),
        counted("input_images", "prompt_tokens_details.image_count"),
        counted(
            "output_reasoning_tokens",
            "completion_tokens_details.reasoning_tokens | completion_token_details.reasoning_tokens",
        ),
        counted("output_audio_tokens", "completion_tokens_details.audio_tokens"),
        counted("output_image_tokens", "completion_tokens_details.image_tokens"),
        counted("output_tokens", "citation_tokens"),
        counted("output_citation_tokens", "citation_tokens"),
        counted(
            "web_searches",
            "server_tool_use.web_search_requests | server_tool_use_details.web_search_requests"
            " | prompt_tokens_details.web_search_requests | num_search_queries | connectors.web_search",
        ),
        counted("code_executions", "server_tool_use.code_execution_requests | connectors.code_interpreter"),
        counted("storage_searches", "connectors.document_library"),
        counted("search_sources", "num_sources_used"),
        counted("image_generations", "connectors.image_generation"),
    ),
    total=place("total_tokens"),
    more=searching_models,
)

RESPONSES = Table(
    "responses",
    place("usage"),
    (
        needed("input_tokens", "input_tokens"),
        needed("output_tokens", "output_tokens"),
        counted(
            "cache_read_tokens",
            "input_tokens_details.cached_tokens | input_tokens_details.cache_read_input_tokens"
            " | prompt_tokens_details.cached_tokens",  # DashScope's own interface
        ),
        counted(
            "cache_write_tokens",
            "input_tokens_details.cache_write_tokens | input_tokens_details.cache_creation_tokens",
        ),
        counted("input_audio_tokens", "input_tokens_details.audio_tokens"),
        counted("input_image_tokens", "input_tokens_details.image_tokens"),
        counted("output_reasoning_tokens", "output_tokens_details.reasoning_tokens"),
        counted("output_audio_tokens", "output_tokens_details.audio_tokens"),
        counted("output_image_tokens", "output_tokens_details.image_tokens"),
        counted(
            "web_searches",
            "server_tool_use.web_search_requests | server_tool_use_details.web_search_requests"
            " | tool_calls_details.search_web.invocation",
        ),
    ),
    total=place("total_tokens"),
    conditions=conditions,
    more=hosted_tools,
)

_REALTIME = (
    needed("input_tokens", "input_tokens"),
    needed("output_tokens", "output_tokens"),
    counted("cache_read_tokens", "input_token_details.cached_tokens"),
    *[counted(f"input_{kind}_tokens", f"input_token_details.{kind}_tokens") for kind in ("text", "audio", "image")],
    *[
        counted(f"cache_{kind}_read_tokens", f"input_token_details.cached_tokens_details.{kind}_tokens")
        for kind in ("text", "audio", "image")
    ],
    counted("output_text_tokens", "output_token_details.text_tokens"),
    counted("output_audio_tokens", "output_token_details.audio_tokens"),
    counted("output_reasoning_tokens", "output_token_details.reasoning_tokens"),
)

CACHED_APART = ("audio", "image")
TABLES = (
    CHAT,
    RESPONSES,
    # The realtime interface's own object, and transcriptions billed by token; then its `response.done` event.
    Table("realtime response", place("usage"), _REALTIME, total=place("total_tokens"), cached_apart=CACHED_APART),
    Table("realtime", place("response.usage"), _REALTIME, total=place("total_tokens"), cached_apart=CACHED_APART),
    Table("embeddings", place("usage"), (needed("input_tokens", "prompt_tokens"),), total=place("total_tokens")),
    Table("live", place("usage"), (needed("audio_seconds", "seconds"),)),
)
