"""LangChain's messages: totals with their parts beside them, and the provider's own words in their metadata.

Source: https://python.langchain.com/api_reference/core/messages/langchain_core.messages.ai.UsageMetadata.html
"""

from collections.abc import Mapping
from typing import Any

from tracking.answers.fields import Fields, fields_of, inside, listed, text_in
from tracking.answers.shapes.gemini import searches
from tracking.answers.shapes.openai import hosted_tools
from tracking.answers.shapes.retold import provider_retold, retold
from tracking.errors import ResponseError
from tracking.usage import Quantity, as_count

OWN_IDS = ("run-", "run--", "lc_run-", "lc_")
"""What the ids that LangChain itself gives begin with."""


def read_message(message: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """An `AIMessage`. A tier's name may precede a part's.

    Raises:
        ResponseError: it says no usage.
    """
    usage = fields_of(message.get("usage_metadata"))
    if not usage:
        raise ResponseError("no usage in this message: its usage_metadata is empty")
    metadata = fields_of(message.get("response_metadata")) or {}
    inputs = fields_of(usage.get("input_token_details")) or {}
    outputs = fields_of(usage.get("output_token_details")) or {}
    model = model or text_in(metadata.get("model_name")) or text_in(metadata.get("model"))
    cache_write_5m, cache_write_1h = inputs.get("ephemeral_5m_input_tokens"), inputs.get("ephemeral_1h_input_tokens")
    cache_write = inputs.get("cache_creation")
    if not cache_write and (cache_write_5m or cache_write_1h):
        cache_write = sum(as_count("cache_creation", count) for count in (cache_write_5m, cache_write_1h) if count)
    own_id = text_in(metadata.get("id")) or text_in(message.get("id"))
    finish = (text_in(metadata.get(name)) for name in ("finish_reason", "stop_reason", "stopReason"))
    return retold(
        provider or _provider_of(metadata, model),
        model,
        {
            "input_tokens": usage.get("input_tokens"),
            "output_tokens": usage.get("output_tokens"),
            "cache_read_tokens": _of_any_tier(inputs, "cache_read"),
            "cache_write_tokens": cache_write,
            "cache_write_1h_tokens": cache_write_1h or None,
            "reasoning_tokens": _of_any_tier(outputs, "reasoning"),
        },
        {
            "input_audio_tokens": inputs.get("audio"),
            "output_audio_tokens": outputs.get("audio"),
            "cache_write_5m_tokens": cache_write_5m or None,
            **_tools(message, metadata, model),
        },
        id=None if own_id and own_id.startswith(OWN_IDS) else own_id,
        finish_reason=next(filter(None, finish), None),
        service_tier=text_in(metadata.get("service_tier")),
        answer=message,
    )


def _tools(message: Fields, metadata: Fields, model: str | None) -> Mapping[str, Quantity]:
    """The hosted tools that were used, as each provider tells it."""
    items = [*listed(message.get("content")), *listed(inside(message, "additional_kwargs", "tool_outputs"))]
    units = dict(hosted_tools({"output": items}, model))
    units |= searches({"candidates": [{"groundingMetadata": metadata.get("grounding_metadata")}]}, model)
    if requests := inside(metadata, "usage", "server_tool_use", "web_search_requests"):
        units["web_searches"] = as_count("web_search_requests", requests)
    return units


def _provider_of(metadata: Fields, model: str | None) -> str:
    if metadata.get("model_provider") is None and "ResponseMetadata" in metadata:
        return "aws"
    return provider_retold(metadata.get("model_provider"), model)


def _of_any_tier(details: Fields, part: str) -> object:
    """A part by its name, or by the one LangChain gives it under a service tier (`flex_cache_read`)."""
    return next(
        (details[name] for name in (part, f"priority_{part}", f"flex_{part}") if details.get(name) is not None), None
    )
