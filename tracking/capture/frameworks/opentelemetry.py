"""OpenTelemetry: `provider.add_span_processor(CostSpanProcessor(tracker))` records the spans of calls of models.

Of any instrumentation that follows the GenAI conventions, by their current and older names.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from tracking.answers.fields import text_in
from tracking.answers.response import LLMResponse
from tracking.capture.frameworks.told import Told, Tracker
from tracking.rows.prompt import WITHHELD

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CALLS = frozenset({"chat", "text_completion", "completion", "generate_content", "embeddings", "embedding", "llm"})
"""Kinds of span that are a call of a model, by which one that failed before it used anything is known."""
PROMPTS = ("gen_ai.input.messages", "gen_ai.prompt", "input.value", "traceloop.entity.input")


class CostSpanProcessor(SpanProcessor):
    """Reads each span at its end; whose it is, the attribution around its beginning says."""

    def __init__(self, tracker: Tracker) -> None:
        self._told = Told(tracker, "opentelemetry")

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._told.begin(span.get_span_context().span_id)

    def on_end(self, span: ReadableSpan) -> None:
        with self._told.unharmed():  # what is raised here would reach the application
            self._end(span)

    def _end(self, span: ReadableSpan) -> None:
        attributes: dict[str, Any] = dict(span.attributes or {})
        context: Any = span.get_span_context()
        used = any(name.startswith("gen_ai.usage.") for name in attributes)
        answer: object = attributes if used else _failed(span)
        if answer is None:
            self._told.forget(context.span_id)
            return
        started, ended = span.start_time or 0, span.end_time or 0
        arguments: dict[str, Any] = {
            "prompt": _prompt(attributes),
            "occurred_at": EPOCH + timedelta(microseconds=started // 1000),
            "latency_ms": max(0, ended - started) // 1_000_000,
            "trace_id": f"{context.trace_id:032x}",
        }
        scope = span.instrumentation_scope
        teller = "opentelemetry" if scope is None else f"opentelemetry:{scope.name}"
        self._told.end(context.span_id, answer, arguments, teller)


def _failed(span: ReadableSpan) -> LLMResponse | None:
    """A call that failed before it used anything; `None` for spans of all other things."""
    said: Any = span.attributes or {}
    kind = said.get("gen_ai.operation.name") or said.get("traceloop.span.kind") or said.get("llm.request.type")
    provider = text_in(said.get("gen_ai.provider.name")) or text_in(said.get("gen_ai.system"))
    if span.status.status_code is not StatusCode.ERROR or kind not in CALLS or provider is None:
        return None
    error_type = text_in(said.get("error.type")) or "error"
    return LLMResponse.failed(provider=provider, model=text_in(said.get("gen_ai.request.model")), error_type=error_type)


def _prompt(attributes: dict[str, Any]) -> object:
    """What was asked, as far as the instrumentation was told to keep it."""
    said = next((attributes[name] for name in PROMPTS if attributes.get(name)), None)
    if isinstance(said, str):
        try:
            return json.loads(said) or WITHHELD
        except (ValueError, RecursionError):
            return said if said.strip() else WITHHELD
    numbered: list[object] = []
    while (content := attributes.get(f"gen_ai.prompt.{len(numbered)}.content")) is not None:
        numbered.append({"role": attributes.get(f"gen_ai.prompt.{len(numbered)}.role"), "content": content})
    return numbered or WITHHELD
