"""OpenTelemetry's spans of calls of models: `gen_ai.*` attributes, by their current and older names."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from tracking.answers.fields import Fields, fields_of, text_in
from tracking.answers.shapes.retold import provider_retold, retold
from tracking.errors import ResponseError


def read_span(span: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """A finished span of OpenTelemetry's SDK."""
    attributes = fields_of(span.get("_attributes") or span.get("attributes"))
    return read_attributes(attributes or {}, provider, model)


_COUNTS = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cache_read_tokens": (
        "cache_read.input_tokens",
        "cache_read_input_tokens",
        "input_tokens.cached",
        "details.cache_read_tokens",
        "details.cache_read_input_tokens",
        "details.cached_tokens",
    ),
    "cache_write_tokens": (
        "cache_creation.input_tokens",
        "cache_creation_input_tokens",
        "details.cache_write_tokens",
        "details.cache_creation_input_tokens",
    ),
    "reasoning_tokens": (
        "reasoning.output_tokens",
        "output_tokens.reasoning",
        "reasoning_tokens",
        "details.reasoning_tokens",
    ),
}
"""By what names below `gen_ai.usage.` each count has gone, the current one first.

Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/, and what Traceloop's, Langfuse's and
Pydantic's instrumentations send.
"""


_WEB_SEARCHES = ("details.web_search_requests", "server_tool_use.web_search_requests", "web_search_requests")

KIND_OF_SPAN = (
    "gen_ai.operation.name",
    "traceloop.span.kind",
    "openinference.span.kind",
    "langfuse.observation.type",
)
"""Where a span says what it is, the conventions' name first."""

AROUND_CALLS = (
    "agent",
    "workflow",
    "tool",
    "task",
    "chain",
    "crew",
    "plan",
    "guardrail",
    "handoff",
    "memory",
    "retriev",
)
"""What the kinds of span hold that lie around calls of models, and sum up what those spans say.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""


def _is_around_calls(attributes: Fields) -> bool:
    """Whether a span is an agent's, a workflow's or a tool's. One that says no kind is an agent's where it names an
    agent and nothing that only an answer has (Pydantic AI's before it said so: pydantic/pydantic-ai#3995)."""
    if (kind := _first(attributes, *KIND_OF_SPAN)) is not None:
        return any(word in kind.lower() for word in AROUND_CALLS)
    of_agent = _first(attributes, "gen_ai.agent.name", "gen_ai.agent.id", "agent_name") is not None
    return of_agent and not any(str(name).startswith("gen_ai.response.") for name in attributes)


def read_attributes(attributes: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """A flat mapping of `gen_ai.*` attributes, current and older names, of a span that is a call of a model.

    Raises:
        ResponseError: it lies around calls (an agent's, a tool's), or says no usage.
    """
    if _is_around_calls(attributes):
        kind = _first(attributes, *KIND_OF_SPAN) or "agent"
        raise ResponseError(f"a span of kind {kind!r} lies around calls of models, which have spans of their own")
    counts = {column: _first_of(attributes, names) for column, names in _COUNTS.items()}
    if all(count is None for count in counts.values()):
        raise ResponseError("no usage in these attributes: gen_ai.usage.input_tokens missing")
    own_model = model or _first(attributes, "gen_ai.response.model", "gen_ai.request.model")
    named = _first(attributes, "gen_ai.provider.name", "gen_ai.system")
    finish_reasons = _sequence(attributes.get("gen_ai.response.finish_reasons"))
    stream = attributes.get("gen_ai.request.stream")
    return retold(
        provider or provider_retold(named, own_model),
        own_model,
        counts,
        {"web_searches": _first_of(attributes, _WEB_SEARCHES)},
        id=_first(attributes, "gen_ai.response.id"),
        finish_reason=text_in(finish_reasons[0]) if finish_reasons else None,
        service_tier=_first(
            attributes,
            "openai.response.service_tier",
            "gen_ai.openai.response.service_tier",
            "gen_ai.response.service_tier",
        ),
        region=_first(attributes, "cloud.region", "aws.region"),
        stream=stream if isinstance(stream, bool) else None,
    )


def _first_of(attributes: Fields, names: Iterable[str]) -> object:
    """The first usage that is said, by its names below `gen_ai.usage.`."""
    return next((v for name in names if (v := attributes.get(f"gen_ai.usage.{name}")) is not None), None)


def _sequence(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()


def _first(attributes: Fields, *names: str) -> str | None:
    return next((text for name in names if (text := text_in(attributes.get(name)))), None)
