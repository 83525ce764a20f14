"""Usage as other libraries hold it: LangChain's messages, Pydantic AI's usage, OpenTelemetry's span attributes.

They have put the provider's counts into terms of their own, each with totals that include their parts, as ours do.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from tracking.answers.fields import Fields, fields_of, inside, text_in
from tracking.answers.inference import extractors_of, infer_provider
from tracking.answers.totals import Said, reconciled
from tracking.assumptions import Assumption
from tracking.errors import ArgumentError, ResponseError
from tracking.providers import known_provider
from tracking.terms import terms_of_tier
from tracking.usage import CATALOGUE_UNIT, TOKEN_COUNTS, Quantity, Usage, as_count, as_quantity, parts_fit

ForeignReader = Callable[[Fields, str | None, str | None], dict[str, Any]]


@lru_cache(maxsize=1024)
def foreign_reader(kind: type) -> ForeignReader | None:
    """What reads objects of a class, where it is another library's."""
    module = kind.__module__
    if module.startswith("langchain_core."):
        return read_langchain
    if module == "pydantic_ai.usage":
        return read_pydantic_ai_usage
    if module == "pydantic_ai.messages":
        return read_pydantic_ai_response
    return read_span if module.startswith("opentelemetry.sdk.trace") else None


def foreign_reader_of_dict(answer: Fields) -> ForeignReader | None:
    if "response_metadata" in answer and "usage_metadata" in answer:
        return read_langchain
    return read_span_attributes if any(str(name).startswith("gen_ai.") for name in answer) else None


def read_langchain(message: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """An `AIMessage`. Its counts are totals with their parts beside them; a tier's name may precede a part's."""
    usage = fields_of(message.get("usage_metadata"))
    if not usage:
        raise ResponseError("no usage in this message: its usage_metadata is empty")
    metadata = fields_of(message.get("response_metadata")) or {}
    inputs = fields_of(usage.get("input_token_details")) or {}
    outputs = fields_of(usage.get("output_token_details")) or {}
    own_model = text_in(metadata.get("model_name")) or text_in(metadata.get("model"))
    written_5m, written_1h = inputs.get("ephemeral_5m_input_tokens"), inputs.get("ephemeral_1h_input_tokens")
    written = inputs.get("cache_creation")
    if not written and (written_5m or written_1h):
        written = _sum("cache_creation", written_5m, written_1h)
    own_id = text_in(metadata.get("id")) or text_in(message.get("id"))
    return _response(
        provider or known_provider(metadata.get("model_provider")) or _inferred(metadata, model or own_model),
        model or own_model,
        {
            "input_tokens": usage.get("input_tokens"),
            "output_tokens": usage.get("output_tokens"),
            "cache_read_tokens": _of_any_tier(inputs, "cache_read"),
            "cache_write_tokens": written,
            "cache_write_1h_tokens": written_1h or None,
            "reasoning_tokens": _of_any_tier(outputs, "reasoning"),
        },
        {
            "input_audio_tokens": inputs.get("audio"),
            "output_audio_tokens": outputs.get("audio"),
            "cache_write_5m_tokens": written_5m or None,
        },
        id=None if own_id and own_id.startswith(("run-", "run--", "lc_run-", "lc_")) else own_id,
        finish_reason=next(
            (r for name in ("finish_reason", "stop_reason", "stopReason") if (r := text_in(metadata.get(name)))), None
        ),
        service_tier=text_in(metadata.get("service_tier")),
        answer=message,
    )


def read_pydantic_ai_usage(usage: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """A `RequestUsage`, or a `RunUsage` of several requests. Its 0 may mean unknown: such parts are left out."""
    if not provider:
        raise ArgumentError("provider", "is not given, and Pydantic AI's usage does not name it")
    return _response(
        provider,
        model,
        {"input_tokens": usage.get("input_tokens"), "output_tokens": usage.get("output_tokens")}
        | {
            name: usage.get(name) or None
            for name in ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")
        }
        | {"reasoning_tokens": usage.get("output_reasoning_tokens") or None},
        {
            name: usage.get(name) or None
            for name in ("input_audio_tokens", "cache_audio_read_tokens", "output_audio_tokens", "audio_seconds")
        },
    )


def read_pydantic_ai_response(response: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """Pydantic AI's `ModelResponse`, which also names provider and model."""
    usage = fields_of(response.get("usage"))
    if usage is None:
        raise ResponseError("no usage in this message of Pydantic AI")
    own_model = model or text_in(response.get("model_name"))
    own_provider = provider or known_provider(response.get("provider_name")) or infer_provider({}, own_model)
    read = read_pydantic_ai_usage(usage, own_provider, own_model)
    return read | {
        "id": text_in(response.get("provider_response_id")),
        "created": response.get("timestamp"),
        "finish_reason": text_in(response.get("finish_reason")),
    }


def read_span(span: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """A finished span of OpenTelemetry's SDK."""
    attributes = fields_of(span.get("_attributes") or span.get("attributes"))
    return read_span_attributes(attributes or {}, provider, model)


_SPAN_COUNTS = {
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


NOT_A_CALL = frozenset(
    ("create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "agent", "workflow", "tool", "task")
)
"""Operations around calls of models, whose spans sum up those of the calls: `gen_ai.operation.name`, and what stood in
`traceloop.span.kind` before. Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/"""


def read_span_attributes(attributes: Fields, provider: str | None, model: str | None) -> dict[str, Any]:
    """A flat mapping of `gen_ai.*` attributes, current and older names, of a span that is a call of a model.

    Raises:
        ResponseError: it is another operation's (an agent's, a tool's), or says no usage.
    """
    operation = _first(attributes, "gen_ai.operation.name", "traceloop.span.kind")
    if operation is not None and operation.lower() in NOT_A_CALL:
        raise ResponseError(
            f"{operation.lower()} is an operation around calls of models, which have spans of their own"
        )
    counts = {
        column: next((v for name in names if (v := attributes.get(f"gen_ai.usage.{name}")) is not None), None)
        for column, names in _SPAN_COUNTS.items()
    }
    if all(count is None for count in counts.values()):
        raise ResponseError("no usage in these attributes: gen_ai.usage.input_tokens missing")
    own_model = model or _first(attributes, "gen_ai.response.model", "gen_ai.request.model")
    named = _first(attributes, "gen_ai.provider.name", "gen_ai.system")
    finish_reasons = _sequence(attributes.get("gen_ai.response.finish_reasons"))
    stream = attributes.get("gen_ai.request.stream")
    return _response(
        provider or known_provider(named) or (infer_provider({}, own_model) if named is None else named),
        own_model,
        counts,
        {},
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


def _response(
    provider: str, model: str | None, counts: Mapping[str, Any], others: Mapping[str, Any], **rest: Any
) -> dict[str, Any]:
    usage, assumptions = _usage(
        {name: as_count(name, value) for name, value in counts.items() if value is not None},
        {name: as_quantity(name, value) for name, value in others.items() if value is not None},
    )
    return {
        "provider": extractors_of(provider).provider,
        "model": model,
        "usage": usage,
        "assumptions": assumptions,
        "price_context": terms_of_tier(rest.get("service_tier")),
        "created": None,
        **rest,
    }


def _usage(counts: Mapping[str, int], others: Mapping[str, Quantity]) -> tuple[Usage, tuple[Assumption, ...]]:
    """The counts by our columns' names; where a part exceeds its whole, as they are to be billed, and that is said."""
    if parts_fit(map(counts.get, TOKEN_COUNTS)):
        return Usage(**cast(Any, counts), other_units=others), ()
    by_unit = {CATALOGUE_UNIT.get(name, name): count for name, count in counts.items()}
    fitted, assumptions = reconciled(by_unit | dict(others), Said())
    columns = {name: fitted.pop(CATALOGUE_UNIT.get(name, name), None) for name in TOKEN_COUNTS}
    return Usage(**cast(Any, columns), other_units=fitted), assumptions


def _inferred(metadata: Fields, model: str | None) -> str:
    if inside(metadata, "model_provider") is None and "ResponseMetadata" in metadata:
        return "aws"
    return infer_provider({}, model)


def _of_any_tier(details: Fields, part: str) -> object:
    """A part by its name, or by the one LangChain gives it under a service tier (`flex_cache_read`)."""
    return next(
        (details[name] for name in (part, f"priority_{part}", f"flex_{part}") if details.get(name) is not None), None
    )


def _sequence(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()


def _sum(name: str, *counts: object) -> Quantity:
    return sum(as_count(name, count) for count in counts if count is not None)


def _first(attributes: Fields, *names: str) -> str | None:
    return next((text for name in names if (text := text_in(attributes.get(name)))), None)
