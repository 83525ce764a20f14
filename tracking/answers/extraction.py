"""From a provider's answer to what an `LLMResponse` holds: counts, model, id, time, tier, reported cost."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tracking.answers.fields import Fields, fields_of, inside, listed, text_in
from tracking.answers.foreign import ForeignReader, foreign_reader, foreign_reader_of_dict
from tracking.answers.inference import extractors_of, infer_provider, provider_of_class
from tracking.answers.own_extractors import LITELLM
from tracking.answers.wrappers import unwrapped
from tracking.errors import ResponseError, UsageError
from tracking.providers import known_provider
from tracking.terms import terms_of_tier
from tracking.usage import as_quantity

NO_CONTEXT: Mapping[str, str] = {}


def extract(
    source: object, provider: str | None = None, model: str | None = None, dialect: str | None = None
) -> dict[str, Any]:
    """What `source` says of itself, by the names of `LLMResponse`'s fields; `answer` holds what its text is read from.

    Raises:
        ResponseError: not an answer, or one without usage in a shape its provider sends.
        UsageError: a count is not a non-negative number; its path and value are named.
        ArgumentError: the provider is unknown, or not given and not to be told from the answer.
    """
    kind = type(source)
    foreign = own_provider = None
    if kind is not dict:
        foreign, own_provider, dialect = _facts_of(kind)
    answer = fields_of(source)
    if answer is None:
        raise ResponseError(f"an answer of type {kind.__name__} is neither a mapping nor an SDK object")
    context = NO_CONTEXT
    if "usage" not in answer and "usageMetadata" not in answer:
        answer, context = unwrapped(answer)
        foreign = foreign or foreign_reader_of_dict(answer)
    if foreign is not None:
        return foreign(answer, provider, model)
    hidden: Fields = {}
    if dialect == LITELLM:
        hidden = fields_of(getattr(source, "_hidden_params", None)) or {}
        own_provider = _litellm_provider(answer, hidden)
    compiled = extractors_of(provider or own_provider or infer_provider(answer, model), dialect)
    own_model, usage = compiled.read(answer)
    read: dict[str, Any] = {
        "provider": compiled.provider,
        "model": model or (own_model if isinstance(own_model, str) and own_model else None),
        "usage": usage,
        "answer": answer,
        "id": response_id_of(answer),
        "created": instant_of(answer),
        "finish_reason": finish_reason_of(answer),
    }
    _add_terms(read, answer, context)
    if compiled.provider in ("openrouter", "perplexity") or hidden:
        read["provider_cost"] = _reported_cost(answer, hidden)
    return read


@lru_cache(maxsize=1024)
def _facts_of(kind: type) -> tuple[ForeignReader | None, str | None, str | None]:
    """What the class of an answer tells: who reads it, whose it is, and which dialect it speaks."""
    provider = provider_of_class(kind)
    if provider == "anthropic":
        provider = None  # sold by Bedrock and Vertex too: the id tells
    return foreign_reader(kind), provider, LITELLM if kind.__module__.partition(".")[0] == "litellm" else None


def provider_of_chunk(chunk: object) -> tuple[str | None, str | None]:
    """The provider, and the dialect, that the class of a stream's chunk tells."""
    _, provider, dialect = _facts_of(type(chunk))
    if dialect == LITELLM:
        hidden = fields_of(getattr(chunk, "_hidden_params", None)) or {}
        provider = _litellm_provider(fields_of(chunk) or {}, hidden)
    return provider, dialect


def _litellm_provider(answer: Fields, hidden: Fields) -> str | None:
    told = hidden.get("custom_llm_provider")
    if not told:
        model = answer.get("model")
        told = model.partition("/")[0] if isinstance(model, str) and "/" in model else None
    return known_provider(told)


def _add_terms(read: dict[str, Any], answer: Fields, context: Mapping[str, str]) -> None:
    """By what else the answer is priced: service tier, speed, batch, region."""
    usage = fields_of(answer.get("usage") or answer.get("usageMetadata") or answer.get("usage_metadata")) or NO_CONTEXT
    told = (
        answer.get("service_tier") or usage.get("service_tier") or answer.get("serviceTier") or usage.get("serviceTier")
    )
    speed, region = usage.get("speed"), usage.get("inference_geo")
    tier = None
    if told is not None:
        # Bedrock: {"type": "priority"}
        tier = told if type(told) is str else text_in(inside(told, "type") or told)
    terms = terms_of_tier(tier)
    if isinstance(speed, str):
        terms["speed"] = speed
    if region is not None and region != "not_available":
        read["region"] = text_in(region)
    read["service_tier"] = tier
    read["price_context"] = {**terms, **context} if context else terms


def _reported_cost(answer: Fields, hidden: Fields) -> Decimal | None:
    """What the provider itself says it cost, in USD."""
    told = hidden.get("response_cost")
    if told is None:
        told = inside(answer, "usage", "cost")
        told = inside(told, "total_cost") if fields_of(told) is not None else told
    try:
        return None if told is None else Decimal(as_quantity("cost", told))
    except UsageError:
        return None


def instant_of(answer: Fields) -> datetime | None:
    """When the provider says it made the answer: epoch seconds, ISO 8601 with an offset or an aware datetime."""
    for field in ("created", "created_at", "createTime", "create_time"):
        value = answer.get(field)
        if value is None or value is True:
            continue
        if isinstance(value, int | float) and value > 0:
            try:
                return datetime.fromtimestamp(value, UTC)
            except (OverflowError, OSError, ValueError):
                continue
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                continue
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
    return None


def response_id_of(answer: Fields) -> str | None:
    for field in ("id", "responseId", "response_id", "generation_id"):
        if (value := answer.get(field)) is not None and (real := real_id(value)):
            return real
    if (inner := fields_of(answer.get("response"))) is not None:
        return response_id_of(inner)
    metadata = answer.get("ResponseMetadata")
    return None if metadata is None else real_id(inside(metadata, "RequestId"))


def real_id(value: object) -> str | None:
    """`value` where it is an id; null, blank and "None" are no ids (litellm#39749)."""
    if not isinstance(value, str) or value.strip().lower() in ("", "none", "null"):
        return None
    return value


def finish_reason_of(answer: Fields) -> str | None:
    choices = answer.get("choices") or answer.get("candidates")
    if choices is not None:
        for choice in listed(choices):
            fields = fields_of(choice) or NO_CONTEXT
            if reason := text_in(fields.get("finish_reason") or fields.get("finishReason")):
                return reason
    for field in ("stop_reason", "stopReason", "finish_reason", "status"):
        if (value := answer.get(field)) is not None and (reason := text_in(value)):
            return reason
    inner = answer.get("response")
    return None if inner is None else text_in(inside(inner, "status"))
