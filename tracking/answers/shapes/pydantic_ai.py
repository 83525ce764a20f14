"""Pydantic AI's usage, which goes by the catalogue's unit names, and its responses.

Source: pydantic_ai/usage.py, and what its models put into `details`.
"""

from typing import Any

from tracking.answers.fields import Fields, fields_of, text_in
from tracking.answers.shapes.gemini import TRAFFIC
from tracking.answers.shapes.retold import provider_retold, retold
from tracking.answers.totals import KINDS, OF_KINDS
from tracking.errors import ArgumentError, ResponseError

PARTS = ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")
FURTHER_UNITS = (
    *(unit for units in OF_KINDS.values() for unit in units),
    *("cache_write_5m_tokens", "input_tool_tokens", "output_citation_tokens", "input_characters"),
    *("web_searches", "social_searches", "storage_searches", "rerank_searches", "code_executions"),
    *("audio_seconds", "input_audio_seconds", "output_audio_seconds", "input_document_pages", "input_text_messages"),
)
"""What a usage may have besides, under the same names."""

UNITS_OF_DETAILS = {
    "web_search_requests": "web_searches",
    "citation_tokens": "output_citation_tokens",
    "tool_use_prompt_tokens": "input_tool_tokens",
    **{f"advisor_{direction}_tokens": f"advisor_{direction}_tokens" for direction in ("input", "output")},
    **{f"{kind}_prompt_tokens": f"input_{kind}_tokens" for kind in KINDS},
    **{f"{kind}_candidates_tokens": f"output_{kind}_tokens" for kind in KINDS},
    **{f"{kind}_cache_tokens": f"cache_{kind}_read_tokens" for kind in KINDS},
}
"""What the details of a usage tell where it has no such field itself."""


def read_usage(usage: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """A `RequestUsage`, or a `RunUsage` of several requests. Its 0 may mean unknown: such parts are left out.

    Raises:
        ArgumentError: no provider is given.
    """
    if not provider:
        raise ArgumentError("provider", "is not given, and Pydantic AI's usage does not name it")
    return _read(usage, provider, model)


def read_response(response: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """A `ModelResponse`, which also names provider, model and tier.

    Raises:
        ResponseError: it says no usage.
    """
    usage = fields_of(response.get("usage"))
    if usage is None:
        raise ResponseError("no usage in this message of Pydantic AI")
    model = model or text_in(response.get("model_name"))
    details = fields_of(response.get("provider_details")) or {}
    traffic = TRAFFIC.get(text_in(details.get("traffic_type")) or "")
    speed = text_in(details.get("speed"))
    return _read(
        usage,
        provider or provider_retold(response.get("provider_name"), model),
        model,
        terms={} if speed is None else {"speed": speed},
        id=text_in(response.get("provider_response_id")),
        created=response.get("timestamp"),
        finish_reason=text_in(response.get("finish_reason")),
        service_tier=text_in(details.get("service_tier")) or traffic,
    )


def _read(usage: Fields, provider: str, model: str | None, **rest: Any) -> dict[str, Any]:
    details = fields_of(usage.get("details")) or {}
    others = {unit: details.get(name) or None for name, unit in UNITS_OF_DETAILS.items()}
    others |= {unit: count for unit in FURTHER_UNITS if (count := usage.get(unit))}
    return retold(
        provider,
        model,
        {"input_tokens": usage.get("input_tokens"), "output_tokens": usage.get("output_tokens")}
        | {name: usage.get(name) or None for name in PARTS}
        | {"reasoning_tokens": usage.get("output_reasoning_tokens") or None},
        others,
        **rest,
    )
