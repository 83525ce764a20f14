"""What an application imports: record what each LLM call cost, exactly, in one append-only ledger."""

from functools import cache
from typing import Unpack

from tracking.attribution import attribution
from tracking.calculator import CostCalculator
from tracking.cost import Cost
from tracking.errors import (
    ArgumentError,
    CostTrackingError,
    LedgerError,
    RefusedCallsError,
    ResponseError,
    UnknownModelError,
    UsageError,
)
from tracking.options import CallOptions
from tracking.rate_card import CostLine
from tracking.record import LLMUsageRecord
from tracking.request_type import RequestType
from tracking.response import LLMResponse
from tracking.trackable import TrackableRef
from tracking.tracker import CostTracker
from tracking.usage import Usage
from tracking.watched_stream import WatchedStream, watch_stream

__all__ = [
    "ArgumentError",
    "CallOptions",
    "Cost",
    "CostCalculator",
    "CostLine",
    "CostTracker",
    "CostTrackingError",
    "LLMResponse",
    "LLMUsageRecord",
    "LedgerError",
    "RefusedCallsError",
    "RequestType",
    "ResponseError",
    "TrackableRef",
    "UnknownModelError",
    "Usage",
    "UsageError",
    "WatchedStream",
    "attribution",
    "default_tracker",
    "record",
    "watch_stream",
]


@cache
def default_tracker() -> CostTracker:
    """The process-wide tracker behind `record()`, configured by `LLM_COST_*` alone."""
    return CostTracker()


def record(
    *,
    llm_response: object = None,
    trackable: object = None,
    user: object = None,
    request_type: object = None,
    prompt: object = None,
    **options: Unpack[CallOptions],
) -> LLMUsageRecord:
    """`CostTracker.record()` on the process-wide default tracker."""
    return default_tracker().record(
        llm_response=llm_response,
        trackable=trackable,
        user=user,
        request_type=request_type,
        prompt=prompt,
        **options,
    )
