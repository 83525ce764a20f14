"""LiteLLM: `litellm.callbacks = [CostLogger(tracker)]` records every call it makes, of its proxy too."""

from datetime import datetime
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from tracking.answers.response import LLMResponse
from tracking.capture.frameworks.told import Told, Tracker
from tracking.rows.prompt import WITHHELD


class CostLogger(CustomLogger):
    """LiteLLM tells it when a call begins, in the caller's own context, and what has become of it, in any thread."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._told = Told(tracker, "litellm")

    def log_pre_api_call(self, model: str, messages: Any, kwargs: dict[str, Any]) -> None:
        self._told.begin(kwargs.get("litellm_call_id"))

    def log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        if kwargs.get("cache_hit") is not True:  # LiteLLM's own cache costs nothing
            self._end(kwargs, response_obj, start_time, end_time)

    def log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        error_type = type(kwargs.get("exception")).__name__
        provider = kwargs.get("custom_llm_provider") or "unknown"
        failed = LLMResponse.failed(provider=provider, model=kwargs.get("model"), error_type=error_type)
        self._end(kwargs, failed, start_time, end_time)

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        self.log_failure_event(kwargs, response_obj, start_time, end_time)

    def _end(self, kwargs: dict[str, Any], answer: Any, started: datetime, ended: datetime) -> None:
        arguments: dict[str, Any] = {
            "prompt": kwargs.get("messages") or kwargs.get("input") or WITHHELD,
            "occurred_at": started.astimezone(),
            "latency_ms": max(0, round((ended - started).total_seconds() * 1000)),
        }
        first: Any = kwargs.get("completion_start_time")
        if kwargs.get("stream") and isinstance(first, datetime) and first.tzinfo == started.tzinfo:
            arguments["ttft_ms"] = max(0, round((first - started).total_seconds() * 1000))
        self._told.end(kwargs.get("litellm_call_id"), answer, arguments)
