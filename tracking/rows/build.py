"""From a call and its cost to the row: who and what it was for, when, and what it used."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast, get_args

from tracking.answers.response import LLMResponse
from tracking.assumptions import assumptions_json
from tracking.attribution import current_attribution
from tracking.errors import ArgumentError
from tracking.money import to_cost_usd, to_micro_usd
from tracking.pricing.cost import Cost
from tracking.pricing.sources.catalogue import family_of
from tracking.rows.identity import event_key_of, record_id_of
from tracking.rows.options import CallOptions
from tracking.rows.prompt import PromptTrace
from tracking.rows.record import LLMUsageRecord, Status
from tracking.rows.texts import check_texts
from tracking.rows.trackable import TrackableRef, id_text, user_id_of
from tracking.values import LONGEST_SHOWN, instant, shown, unreadable, whole_number

Read = TypeVar("Read")

STATUSES: tuple[str, ...] = get_args(Status)


def instant_of_call(value: datetime | None) -> datetime:
    """When the call was made, as a UTC instant: as given, else now.

    Raises:
        ArgumentError: no instant, one without a time zone, or one no call was made at.
    """
    return datetime.now(UTC) if value is None else instant("occurred_at", value)


def attribution_of(user: object, trackable: object, options: CallOptions) -> dict[str, Any]:
    """The columns that say who and what a call was for; what `options` leave open, `attribution()` fills.

    Raises:
        ArgumentError: one of them is no such thing, or `options` make the trackable its own parent.
    """
    reference = read_argument("trackable", trackable, TrackableRef.of)
    around = current_attribution()
    around = {**around, **{name: value for name, value in options.items() if value is not None}} if around else options
    parent, tenant = around.get("trackable_parent"), around.get("tenant")
    parent_reference = None if parent is None else read_argument("trackable_parent", parent, TrackableRef.of)
    if parent_reference is not None and parent_reference == reference:
        # In a block about all that belongs to an assignment, a call for the assignment itself belongs to nothing else.
        if options.get("trackable_parent") is not None:
            raise ArgumentError("trackable_parent", "is the trackable itself")
        parent_reference = None
    return {
        "user_id": read_argument("user", user, user_id_of),
        "trackable_type": reference.type,
        "trackable_id": reference.id,
        "trackable_parent_type": None if parent_reference is None else parent_reference.type,
        "trackable_parent_id": None if parent_reference is None else parent_reference.id,
        "tenant": None if tenant is None else read_argument("tenant", tenant, id_text),
        "tags": None if (tags := around.get("tags")) is None else read_argument("tags", tags, _tags),
        "trace_id": around.get("trace_id"),
    }


def _tags(tags: object, _: str) -> object:
    """A mapping as a dict, none where it is empty; what is no mapping, the record refuses."""
    return dict(cast("Mapping[object, object]", tags)) or None if isinstance(tags, Mapping) else tags


def read_argument(argument: str, value: object, read: Callable[[object, str], Read]) -> Read:
    """What is read of an object given by the application, whose own code may fail in its own way."""
    try:
        return read(value, argument)
    except ArgumentError:
        raise
    except Exception as error:
        raise unreadable(argument, value, error) from error


def now() -> datetime:
    """When a row is recorded. The demo, whose month is over, puts another clock here in processes of its own."""
    return datetime.now(UTC)


def build_record(
    response: LLMResponse,
    cost: Cost,
    prompt: PromptTrace,
    attribution: Mapping[str, Any],
    occurred_at: datetime,
    options: CallOptions,
) -> LLMUsageRecord:
    """The row. Pydantic's `ValidationError` where it would not be valid."""
    usage, price, cost_usd, option = response.usage, cost.price, cost.cost_usd, options.get
    check_texts(response, attribution["trace_id"], options)
    key = option("idempotency_key")
    event_key = event_key_of(response, None if key is None else read_argument("idempotency_key", key, id_text))
    status = response.status if (told := option("status")) is None else cast(object, told)
    if not isinstance(status, str) or len(status) > LONGEST_SHOWN:
        raise ArgumentError("status", f"({shown(status)}) is none of {', '.join(STATUSES)}")
    llm, other_units = cost.llm, usage.other_units_json()
    columns: dict[str, Any] = {
        "event_key": event_key,
        "record_id": record_id_of(event_key, usage, other_units, status),
        "occurred_at": occurred_at,
        "recorded_at": now(),
        **attribution,
        "llm": llm,
        "llm_family": None if llm is None else family_of(llm),
        "provider": response.provider,
        "model": response.model,
        **usage.token_counts(),
        "other_units": other_units,
        "token_count": usage.token_count,
        "cost_usd": cost_usd,
        "micro_usd": None if cost_usd is None else to_micro_usd(cost_usd),
        "pricing_status": cost.pricing_status,
        "price_id": None if price is None else price.price_id,
        "service_tier": response.service_tier,
        "region": response.region,
        "stream": response.stream,
        "status": status,
        "finish_reason": response.finish_reason,
        "error_type": response.error_type,
        "attempt": _number(option("attempt")),
        "retry_of": option("retry_of"),
        "latency_ms": _number(option("latency_ms")),
        "ttft_ms": _number(option("ttft_ms")),
        "provider_response_id": response.id,
        "prompt_chars": prompt.chars,
        "prompt_hmac": prompt.hmac,
        "prompt_prefix_hmac": prompt.prefix_hmac,
        "provider_cost_usd": None if cost.provider_usd is None else to_cost_usd(cost.provider_usd),
        "price_context": response.terms_beside_tier() or None,
        "price_assumptions": assumptions_json(cost.assumptions) if cost.assumptions else None,
    }
    return LLMUsageRecord.model_validate(columns)


def _number(value: object) -> object:
    """A whole number of any library's as an `int`; what is none, the record refuses."""
    return value if value is None or (whole := whole_number(value)) is None else whole
