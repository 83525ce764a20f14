"""`tracker.call(…)`: a `with` block that also records how long a call took, and calls that failed."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tracking.answers.response import LLMResponse
from tracking.interrupts import raise_interrupt_behind

if TYPE_CHECKING:
    from tracking.rows.record import LLMUsageRecord


class TrackedCall:
    """One call in progress. Set `response` before leaving; `record` holds the row afterwards.

    A block left by an exception is recorded as a failed call (status "error", no cost), or as what it cost where
    `response` was set by then; the exception goes on.
    """

    def __init__(
        self,
        record: Callable[..., "LLMUsageRecord"],
        report_unrecorded: Callable[[BaseException], None],
        arguments: dict[str, Any],
    ) -> None:
        self.response: object = None
        self.record: LLMUsageRecord | None = None
        self._record = record
        self._report_unrecorded = report_unrecorded
        self._arguments = arguments
        self._started = 0
        self._first_token: int | None = None

    def first_token(self) -> None:
        """Say that the first token has arrived; later calls change nothing."""
        if self._first_token is None:
            self._first_token = time.perf_counter_ns()

    def __enter__(self) -> Self:
        self._started = time.perf_counter_ns()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        measured: dict[str, Any] = {"latency_ms": self._milliseconds(time.perf_counter_ns())}
        if self._first_token is not None:
            measured["ttft_ms"] = self._milliseconds(self._first_token)
        arguments = measured | self._arguments
        if error_type is None:
            self.record = self._record(llm_response=self.response, **arguments)
        else:
            self._record_interrupted(error_type.__name__, arguments)

    def _record_interrupted(self, error_type: str, arguments: dict[str, Any]) -> None:
        """The caller's own exception matters more than any trouble in recording that it happened."""
        try:
            response = self.response
            if response is None:
                provider, model = arguments.get("provider") or "unknown", arguments.get("model")
                response = LLMResponse.failed(provider=provider, model=model, error_type=error_type)
            self.record = self._record(llm_response=response, **arguments)
        except Exception as trouble:
            raise_interrupt_behind(trouble)
            self._report_unrecorded(trouble)

    def _milliseconds(self, until: int) -> int:
        return (until - self._started) // 1_000_000
