"""`CostSpanProcessor`: spans of calls of models are rows; those around them are none."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from captured_answers import EMBEDDINGS, MESSAGES, chat
from provider_server import ProviderServer, json_answer

import tracking
from tracking import CostTracker

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode

from tracking.capture.frameworks.opentelemetry import CostSpanProcessor

Rows = Callable[[], list[dict[str, Any]]]
WHO: dict[str, Any] = {"user": "teacher-1", "trackable": ("Assignment", 42), "request_type": "generate_rubric"}
CURRENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 70,
    "gen_ai.usage.output_tokens": 12,
    "gen_ai.input.messages": '[{"role": "user", "content": "Four criteria?"}]',
}
OLDER = {
    "gen_ai.system": "OpenAI",
    "llm.request.type": "chat",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.prompt_tokens": 70,
    "gen_ai.usage.completion_tokens": 12,
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "Four criteria?",
}
NEITHER = {
    "gen_ai.provider.name": "openai",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 70,
    "gen_ai.usage.output_tokens": 12,
}


@pytest.fixture
def provider_of_traces(tracker: CostTracker) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(CostSpanProcessor(tracker))
    return made


def spanned(provider: TracerProvider, attributes: Any, scope: str = "instrumentation", failed: bool = False) -> None:
    with provider.get_tracer(scope).start_as_current_span("chat") as span:
        span.set_attributes(attributes)
        if failed:
            span.set_status(Status(StatusCode.ERROR))


@pytest.mark.parametrize("attributes", [CURRENT, OLDER, NEITHER], ids=["current", "older", "no prompt"])
def test_a_span_is_a_row_with_its_time_and_its_trace(
    provider_of_traces: TracerProvider, rows: Rows, attributes: dict[str, Any]
) -> None:
    with tracking.attribution(**WHO):
        spanned(provider_of_traces, attributes)
    (row,) = rows()
    assert (row["provider"], row["model"], row["input_tokens"], row["output_tokens"]) == (
        "openai",
        "gpt-4o-2024-08-06",
        70,
        12,
    )
    assert (row["user_id"], row["status"], len(row["trace_id"])) == ("teacher-1", "ok", 32)
    assert row["latency_ms"] is not None
    assert row["prompt"] == (None if attributes is NEITHER else '[{"content": "Four criteria?", "role": "user"}]')


def test_the_applications_own_trace_is_kept(provider_of_traces: TracerProvider, rows: Rows) -> None:
    with tracking.attribution(**WHO, trace_id="session-9"):
        spanned(provider_of_traces, CURRENT)
    assert [row["trace_id"] for row in rows()] == ["session-9"]


def test_spans_around_calls_and_of_other_things_are_no_rows(
    provider_of_traces: TracerProvider, tracker: CostTracker, rows: Rows
) -> None:
    spanned(provider_of_traces, {"http.method": "GET"})
    spanned(provider_of_traces, {"db.system": "sqlite"}, failed=True)
    spanned(provider_of_traces, CURRENT | {"gen_ai.operation.name": "invoke_agent"})
    spanned(provider_of_traces, {"gen_ai.operation.name": "execute_tool", "gen_ai.provider.name": "x"}, failed=True)
    assert rows() == []
    assert tracker.captured.unread == 0


def test_a_call_that_failed_is_a_row_without_a_cost(provider_of_traces: TracerProvider, rows: Rows) -> None:
    said = {name: value for name, value in CURRENT.items() if "usage" not in name and "response" not in name}
    spanned(provider_of_traces, said | {"error.type": "RateLimitError"}, failed=True)
    (row,) = rows()
    assert (row["status"], row["error_type"], row["model"], row["cost_usd"]) == (
        "error",
        "RateLimitError",
        "gpt-4o",
        None,
    )


@pytest.mark.parametrize("fails", [False, True])
def test_a_watched_client_within_two_instrumentations_makes_one_row_a_call(
    provider_of_traces: TracerProvider, tracker: CostTracker, provider: ProviderServer, rows: Rows, fails: bool
) -> None:
    openai = pytest.importorskip("openai")
    provider.on("/chat/completions", json_answer({"error": {}}, 400) if fails else json_answer(chat()))
    client = tracker.watch(openai.OpenAI(base_url=provider.url, api_key="k"))
    said = dict(CURRENT)
    if fails:
        said = {name: value for name, value in CURRENT.items() if "usage" not in name and "response" not in name}
        said["gen_ai.input.messages"] = str(MESSAGES).replace("'", '"')
    for _ in range(3):
        tracer = provider_of_traces.get_tracer("openai")
        with tracking.attribution(**WHO), tracer.start_as_current_span("chat") as span:
            try:
                client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
            except openai.BadRequestError:
                assert fails
                span.set_status(Status(StatusCode.ERROR))
            span.set_attributes(said)
    assert [row["user_id"] for row in rows()] == ["teacher-1"] * 3


def test_another_call_without_an_id_that_asks_the_same_later_is_a_row_too(
    provider_of_traces: TracerProvider, tracker: CostTracker, provider: ProviderServer, rows: Rows
) -> None:
    openai = pytest.importorskip("openai")
    provider.on("/embeddings", json_answer(EMBEDDINGS))
    client = tracker.watch(openai.OpenAI(base_url=provider.url, api_key="k"))
    said = {name: value for name, value in CURRENT.items() if "response" not in name}
    said |= {"gen_ai.request.model": "text-embedding-3-small", "gen_ai.input.messages": '["Four criteria?"]'}
    client.embeddings.create(model="text-embedding-3-small", input=["Four criteria?"])
    time.sleep(0.01)
    spanned(provider_of_traces, said)
    assert len(rows()) == 2


@pytest.mark.parametrize("prompt", ["[" * 100_000, "[]", "null", "9" * 5000])
def test_prompts_of_any_kind_break_no_span(
    provider_of_traces: TracerProvider, tracker: CostTracker, rows: Rows, prompt: str
) -> None:
    spanned(provider_of_traces, CURRENT | {"gen_ai.input.messages": prompt})
    assert [row["input_tokens"] for row in rows()] == [70]


def test_a_span_of_no_time_breaks_nothing_and_is_counted(
    provider_of_traces: TracerProvider, tracker: CostTracker
) -> None:
    span = provider_of_traces.get_tracer("x").start_span("chat", start_time=10**30)
    span.set_attributes(CURRENT)
    span.end()
    assert tracker.captured.unread == 1
