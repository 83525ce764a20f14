"""What may be said of a call besides what must be."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict


class CallOptions(TypedDict, total=False):
    """Optional arguments of `CostTracker.record()`.

    `occurred_at` is an aware instant (default: now). Latencies are whole milliseconds. `attempt` counts from 1;
    `retry_of` is the `record_id` of the attempt it repeats. `trackable_parent` is the object the trackable belongs
    to. `tags` is a flat mapping. `idempotency_key` names the billable event where the provider gives no id.
    `provider` and `model` say what a provider's own answer does not (see `LLMResponse.from_provider`).
    """

    occurred_at: datetime | None
    status: Literal["ok", "error", "partial"] | None
    latency_ms: int | None
    ttft_ms: int | None
    attempt: int | None
    retry_of: str | None
    trackable_parent: object
    tenant: str | None
    tags: Mapping[str, Any] | None
    trace_id: str | None
    idempotency_key: str | None
    provider: str | None
    model: str | None
