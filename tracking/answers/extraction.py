"""From a provider's answer to what an `LLMResponse` holds: counts, model, id, time, tier, reported cost."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tracking.answers.estimates import estimated_output
from tracking.answers.fields import Fields, fields_of, inside, listed, text_in
from tracking.answers.foreign import ForeignReader, foreign_reader, foreign_reader_of_dict
from tracking.answers.inference import extractors_of, infer_provider, provider_of_class
from tracking.answers.shapes import litellm
from tracking.answers.shapes.everyones import REPORTED_COSTS
from tracking.answers.wrappers import unwrapped
from tracking.errors import ArgumentError, ResponseError, UsageError
from tracking.interrupts import raise_interrupt_behind
from tracking.usage import as_quantity
from tracking.values import LONGEST_NAME, LONGEST_TEXT, instant, plain_text, text_problem

END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
NUMBER = (int, float)  # a union would be put together, and asked, at every answer
INSTANT = (int, float, str, datetime)
LONGEST_INSTANT = 64
NOTHING: Mapping[str, Any] = {}


def extract(source: object, provider: str | None = None, model: str | None = None) -> dict[str, Any]:
    """What `source` says of itself, by the names of `LLMResponse`'s fields; `answer` holds what its text is read from.

    Raises:
        ResponseError: not an answer, or one without usage in a shape known here.
        UsageError: a count is not a non-negative number; its path and value are named.
        ArgumentError: the provider is not given and not to be told from the answer.
    """
    kind = type(source)
    foreign = own_provider = None
    is_litellm = False
    if kind is not dict:
        foreign, own_provider, is_litellm = _facts_of(kind)
    answer = fields_of(source)
    if answer is None:
        raise ResponseError(f"an answer of type {kind.__name__} is neither a mapping nor an SDK object")
    terms: Mapping[str, str] = NOTHING
    if "usage" not in answer and "usageMetadata" not in answer:
        answer, terms = unwrapped(answer)
        foreign = foreign or foreign_reader_of_dict(answer)
    if foreign is not None:
        return foreign(answer, provider, model)
    hidden: Fields = NOTHING
    if is_litellm:
        hidden = litellm.hidden_params(source)
        own_provider = litellm.provider_of(answer, hidden)
    compiled = extractors_of(provider or own_provider or infer_provider(answer, model))
    own_model, usage, assumptions, table = compiled.read(answer, model)
    tier, price_context, region = table.conditions(answer)
    fields: dict[str, Any] = {
        "provider": compiled.provider,
        "model": model or _name_in(own_model),
        "usage": usage,
        "answer": answer,
        "id": response_id_of(answer),
        "created": instant_of(answer),
        "finish_reason": finish_reason_of(answer),
        "service_tier": tier,
        "price_context": {**price_context, **terms} if terms else price_context,
        "assumptions": assumptions,
    }
    if region is not None:
        fields["region"] = region
    if hidden or compiled.provider in REPORTED_COSTS:
        fields["provider_cost"] = _reported_cost(answer, compiled.provider, hidden)
    if usage.output_tokens is None and table.answers:
        fields |= estimated_output(fields)
    return fields


@lru_cache(maxsize=1024)
def _facts_of(kind: type) -> tuple[ForeignReader | None, str | None, bool]:
    """What the class of an answer tells: who reads it, whose it is, and whether it is LiteLLM's."""
    provider = provider_of_class(kind)
    if provider == "anthropic":
        provider = None  # sold by Bedrock and Vertex too: the id tells
    return foreign_reader(kind), provider, litellm.is_object(kind)


def provider_of_chunk(chunk: object) -> str | None:
    """The provider that the class of a stream's chunk tells."""
    _, provider, is_litellm = _facts_of(type(chunk))
    return litellm.provider_of(fields_of(chunk) or {}, litellm.hidden_params(chunk)) if is_litellm else provider


def _name_in(model: object) -> str | None:
    """A model as its answer names it."""
    return _checked_name(plain_text(model)) if isinstance(model, str) else None


@lru_cache(maxsize=1024)
def _checked_name(model: str) -> str | None:
    if not model.strip():
        return None
    if problem := text_problem(model, LONGEST_NAME):
        raise ResponseError(f"model of the answer {problem}")
    return model


def _reported_cost(answer: Fields, provider: str, hidden: Fields) -> Decimal | None:
    """What the provider itself, or LiteLLM, says it cost, in USD."""
    try:
        if (told := hidden.get("response_cost")) is not None:
            return Decimal(as_quantity("response_cost", told))
        stated = REPORTED_COSTS.get(provider)
        told = None if stated is None else stated(answer)
        return None if told is None else Decimal(told)
    except UsageError as error:
        raise_interrupt_behind(error)
        return None


def instant_of(answer: Fields) -> datetime | None:
    """When the provider says it made the answer: epoch seconds, ISO 8601 with an offset or an aware datetime."""
    for field in ("created", "created_at", "createTime", "create_time"):
        value = answer.get(field)
        if value is None or value is True:
            continue
        if not isinstance(value, INSTANT):
            value = inside(value, "seconds")  # protobuf's timestamp
        if isinstance(value, NUMBER) and 0 < value < END_OF_TIME:
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            if len(value) > LONGEST_INSTANT:  # Python would read all of it
                continue
            try:
                value = datetime.fromisoformat(value)
            except ValueError as error:
                raise_interrupt_behind(error)
                continue
        if isinstance(value, datetime) and value.utcoffset() is not None:
            try:
                return instant(field, value)
            except ArgumentError:
                continue
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
    if not isinstance(value, str) or value[:LONGEST_TEXT].strip().lower() in ("", "none", "null"):
        return None
    return value


def finish_reason_of(answer: Fields) -> str | None:
    choices = answer.get("choices") or answer.get("candidates") or answer.get("outputs") or answer.get("results")
    if choices is not None:
        for choice in listed(choices):
            fields = fields_of(choice) or NOTHING
            if reason := text_in(
                fields.get("finish_reason") or fields.get("finishReason") or fields.get("stop_reason")
            ):
                return reason
    for field in ("stop_reason", "stopReason", "finish_reason", "done_reason", "completionReason", "status"):
        if (value := answer.get(field)) is not None and (reason := text_in(value)):
            return reason
    inner = answer.get("response")
    return None if inner is None else text_in(inside(inner, "status"))
