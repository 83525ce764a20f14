"""What an application imports: record what each LLM call cost, exactly, in one append-only ledger."""

from tracking.answers.response import LLMResponse
from tracking.answers.watched_stream import WatchedStream, watch_stream
from tracking.attributed import attributed
from tracking.attribution import attribution
from tracking.capture.watch import unwatch
from tracking.errors import (
    ArgumentError,
    CostTrackingError,
    LedgerError,
    RefusedCallsError,
    ResponseError,
    UnknownModelError,
    UsageError,
)
from tracking.pricing.calculator import CostCalculator
from tracking.pricing.cost import Cost
from tracking.pricing.rate_card import CostLine
from tracking.rows.options import CallOptions
from tracking.rows.record import LLMUsageRecord
from tracking.rows.request_type import RequestType
from tracking.rows.trackable import TrackableRef
from tracking.tracker import CostTracker, default_tracker
from tracking.usage import Usage

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
    "attributed",
    "attribution",
    "default_tracker",
    "record",
    "unwatch",
    "watch",
    "watch_everything",
    "watch_stream",
]


record = CostTracker.record
"""`record()` of the process-wide default tracker."""

watch = CostTracker.watch
"""`watch()` of the process-wide default tracker."""

watch_everything = CostTracker.watch_everything
"""`watch_everything()` of the process-wide default tracker."""
