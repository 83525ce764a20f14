"""From a call and its cost to the row: who and what it was for, when, and what it used."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from tracking.attribution import attributed
from tracking.cost import Cost
from tracking.errors import ArgumentError
from tracking.identity import event_key_of, record_id_of
from tracking.options import CallOptions
from tracking.prompt import PromptTrace
from tracking.record import LLMUsageRecord, to_cost_usd, to_micro_usd
from tracking.response import LLMResponse
from tracking.trackable import TrackableRef, identity_text, user_id_of


def instant_of_call(value: datetime | None) -> datetime:
    """When the call was made, as a UTC instant: as given, else now. A naive one is refused."""
    if value is None:
        return datetime.now(UTC)
    if not isinstance(cast(object, value), datetime):
        raise ArgumentError("occurred_at", f"is a {type(value).__name__}, expected a datetime with a time zone")
    if value.tzinfo is None:
        raise ArgumentError("occurred_at", f"({value.isoformat()}) has no time zone")
    return value.astimezone(UTC)


def attribution_of(user: object, trackable: object, options: CallOptions) -> dict[str, Any]:
    """The columns that say who and what a call was for; what `options` leave open, `attribution()` fills."""
    reference = TrackableRef.of(trackable)
    parent = _given(options, "trackable_parent")
    parent_reference = None if parent is None else TrackableRef.of(parent, "trackable_parent")
    tenant = _given(options, "tenant")
    return {
        "user_id": user_id_of(user),
        "trackable_type": reference.type,
        "trackable_id": reference.id,
        "trackable_parent_type": None if parent_reference is None else parent_reference.type,
        "trackable_parent_id": None if parent_reference is None else parent_reference.id,
        "tenant": None if tenant is None else identity_text("tenant", tenant),
        "tags": _given(options, "tags") or None,
        "trace_id": _given(options, "trace_id"),
    }


def _given(options: Mapping[str, Any], name: str) -> Any:
    value = options.get(name)
    return attributed(name) if value is None else value


def build_record(
    response: LLMResponse,
    cost: Cost,
    prompt: PromptTrace,
    attribution: Mapping[str, Any],
    occurred_at: datetime,
    options: CallOptions,
) -> LLMUsageRecord:
    """The row. Pydantic's `ValidationError` where it would not be valid."""
    event_key = event_key_of(response, options.get("idempotency_key"))
    status = options.get("status") or response.status
    cost_usd = cost.cost_usd
    counts: dict[str, Any] = {**response.usage.token_counts()}
    return LLMUsageRecord(
        event_key=event_key,
        record_id=record_id_of(event_key, response.usage, status),
        occurred_at=occurred_at,
        recorded_at=datetime.now(UTC),
        **attribution,
        llm=cost.llm,
        llm_family=cost.llm_family,
        provider=response.provider,
        model=response.model,
        **counts,
        other_units=response.usage.other_units_json(),
        token_count=response.usage.token_count,
        cost_usd=cost_usd,
        micro_usd=None if cost_usd is None else to_micro_usd(cost_usd),
        pricing_status=cost.pricing_status,
        price_id=cost.price_id,
        service_tier=response.service_tier,
        region=response.region,
        stream=response.stream,
        status=status,
        finish_reason=response.finish_reason,
        error_type=response.error_type,
        attempt=options.get("attempt"),
        retry_of=options.get("retry_of"),
        latency_ms=options.get("latency_ms"),
        ttft_ms=options.get("ttft_ms"),
        provider_response_id=response.id,
        prompt_chars=prompt.chars,
        prompt_hmac=prompt.hmac,
        prompt_prefix_hmac=prompt.prefix_hmac,
        provider_cost_usd=None if cost.provider_usd is None else to_cost_usd(cost.provider_usd),
    )
