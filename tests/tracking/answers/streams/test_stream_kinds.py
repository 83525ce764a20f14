"""Streams whose counts stand elsewhere than in a last chunk's `usage`, or are undone, snapshots, or never said."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracking
from tracking import CostTracker, LLMResponse

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
USAGE = {"prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 800}}
METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 30, "outputTokenCount": 200, "invocationLatency": 9}}


def chunk(text: str | None = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {"id": "c1", "model": "gpt-4o-mini", "choices": [{"delta": delta, "finish_reason": finish}]} | fields


def counted(response: LLMResponse) -> tuple[str, int | None, int | None, int | None]:
    usage = response.usage
    return response.status, usage.input_tokens, usage.cache_read_tokens, usage.output_tokens


@given(st.integers(0, 3), st.sampled_from([0, None]))
def test_later_zeros_undo_no_count(after: int, zero: int | None) -> None:
    nothing = {"prompt_tokens": zero, "completion_tokens": zero, "prompt_tokens_details": {"cached_tokens": zero}}
    last = {"id": "c1", "model": "gpt-4o-mini", "choices": [], "usage": nothing}
    chunks = [chunk("hello"), chunk(finish="stop", usage=USAGE), *[last] * after]
    assert counted(LLMResponse.from_stream(chunks, provider="openai")) == ("ok", 1000, 800, 50)


def test_the_most_complete_of_growing_counts_is_taken() -> None:
    growing = [chunk("a", usage={"prompt_tokens": 9, "completion_tokens": n}) for n in (1, 2, 3)]
    response = LLMResponse.from_stream([*growing, chunk(finish="stop")], provider="openai")
    assert counted(response) == ("ok", 9, None, 3)


def test_usage_inside_the_choice_is_read() -> None:
    last = chunk()
    last["choices"] = [{"delta": {}, "finish_reason": "stop", "usage": USAGE}]
    assert counted(LLMResponse.from_stream([chunk("hello"), last], provider="moonshotai")) == ("ok", 1000, 800, 50)


@pytest.mark.parametrize("metadata", [{}, {"request": "r-1"}, None])
def test_a_chunk_that_also_has_metadata_stays_what_it_is(metadata: Any) -> None:
    chunks = [chunk("hi", metadata=metadata), chunk(finish="stop", usage=USAGE, metadata=metadata)]
    response = LLMResponse.from_stream(chunks, provider="openai")
    assert (response.provider, *counted(response)) == ("openai", "ok", 1000, 800, 50)


def test_a_snapshot_of_gemini_is_taken_whole() -> None:
    first = {"promptTokenCount": 10, "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "totalTokenCount": 60}
    last = {"promptTokenCount": 90, "thoughtsTokenCount": 70, "totalTokenCount": 160}
    chunks = [
        {"modelVersion": "gemini-3-flash-preview", "candidates": [{"finishReason": finish}], "usageMetadata": usage}
        for finish, usage in ((None, first), ("STOP", last))
    ]
    assert counted(LLMResponse.from_stream(chunks)) == ("ok", 90, None, 70)


def test_searches_that_grounded_a_streamed_answer_are_counted() -> None:
    usage = {"promptTokenCount": 90, "candidatesTokenCount": 70, "totalTokenCount": 160}
    grounding = {"webSearchQueries": ["one", "another"]}
    chunks = [
        {"modelVersion": "gemini-3-flash-preview", "candidates": [{"groundingMetadata": grounding}]},
        {"modelVersion": "gemini-3-flash-preview", "candidates": [{"finishReason": "STOP"}], "usageMetadata": usage},
    ]
    assert LLMResponse.from_stream(chunks).usage.other_units == {"web_searches": 2}


BODIES = {
    "amazon.titan-text-express-v1": [{"outputText": "hello"}, {"outputText": "", "completionReason": "FINISH"}],
    "mistral.mistral-7b-instruct-v0:2": [
        {"outputs": [{"text": "hello", "stop_reason": None}]},
        {"outputs": [{"text": "", "stop_reason": "stop"}]},
    ],
    "meta.llama3-8b-instruct-v1:0": [
        {"generation": "he", "prompt_token_count": 30, "generation_token_count": 1, "stop_reason": None},
        {"generation": "", "prompt_token_count": None, "generation_token_count": 200, "stop_reason": "stop"},
    ],
    "cohere.command-r-v1:0": [
        {"event_type": "text-generation", "text": "hello"},
        {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": {"text": "hello"}},
    ],
    "ai21.jamba-1-5-mini-v1:0": [chunk("hello"), chunk(finish="stop")],
    "anthropic.claude-3-haiku-20240307-v1:0": [
        {
            "type": "message_start",
            "message": {"model": "claude-3-haiku", "usage": {"input_tokens": 30, "output_tokens": 1}},
        },
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hello"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 200}},
        {"type": "message_stop"},
    ],
    "amazon.nova-lite-v1:0": [
        {"contentBlockDelta": {"delta": {"text": "hello"}}},
        {"messageStop": {"stopReason": "end"}},
    ],
}


@pytest.mark.parametrize("model", BODIES)
def test_whoever_made_the_model_bedrock_counts_its_stream(model: str) -> None:
    *bodies, last = BODIES[model]
    chunks = [{"chunk": {"bytes": json.dumps(body).encode()}} for body in (*bodies, last | METRICS)]
    assert counted(LLMResponse.from_stream(chunks, model=model)) == ("ok", 30, None, 200)


def test_the_first_version_of_coheres_chat_is_billed_by_its_billed_units() -> None:
    meta = {"billed_units": {"input_tokens": 10, "output_tokens": 100}, "tokens": {"input_tokens": 70}}
    chunks = [
        {"event_type": "text-generation", "text": "hello"},
        {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": {"response_id": "r1", "meta": meta}},
    ]
    assert counted(LLMResponse.from_stream(chunks, "cohere", "command-r-plus")) == ("ok", 10, None, 100)


def test_a_stream_of_ollama_is_counted_by_its_last_line() -> None:
    lines = [
        {"model": "llama3", "message": {"content": "hello"}, "done": False},
        {"model": "llama3", "done": True, "done_reason": "stop", "prompt_eval_count": 12, "eval_count": 7},
    ]
    assert counted(LLMResponse.from_stream(lines, provider="ollama")) == ("ok", 12, None, 7)


def broken(chunks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from chunks
    raise ConnectionResetError


@pytest.mark.parametrize("breaks_off", [True, False])
def test_a_stream_without_usage_counts_its_prompt_and_its_text_and_says_so(
    tracker: CostTracker, breaks_off: bool
) -> None:
    chunks = [chunk("hello world " * 20), *([] if breaks_off else [chunk(finish="stop")])]
    stream = tracking.watch_stream(broken(chunks) if breaks_off else iter(chunks), provider="openai")
    try:
        list(stream)
    except ConnectionResetError:
        assert breaks_off
    record = tracker.record(
        llm_response=stream.response,
        user=1,
        trackable=("Assignment", 1),
        request_type="generate_rubric",
        prompt="word " * 8000,
        occurred_at=AT,
    )
    assert (record.status, record.input_tokens, record.output_tokens) == ("partial", 10_000, 60)
    assert record.pricing_status == "estimated"
    assert json.loads(record.price_assumptions or "") == [{"tokens_from_text": ["input", "output"]}]


def test_input_that_the_provider_said_is_not_estimated(tracker: CostTracker) -> None:
    usage = {"input_tokens": 7, "output_tokens": 1}
    start = {"type": "message_start", "message": {"id": "m1", "model": "claude-sonnet-5", "usage": usage}}
    delta = {"type": "content_block_delta", "delta": {"text": "hello"}}
    answer = LLMResponse.from_stream([start, delta], provider="anthropic")
    record = tracker.record(
        llm_response=answer, user=1, trackable=("A", 1), request_type="generate_rubric", prompt="word " * 8000
    )
    assert record.input_tokens == 7
    assert json.loads(record.price_assumptions or "") == [{"tokens_from_text": ["output"]}]


def test_a_turn_of_geminis_live_interface_ends_with_its_usage() -> None:
    usage = {"promptTokenCount": 100, "responseTokenCount": 50, "totalTokenCount": 150}
    for last in (
        [{"serverContent": {"turnComplete": True}, "usageMetadata": usage}],
        [{"usageMetadata": usage}, {"server_content": {"turn_complete": True}}],
    ):
        chunks = [{"serverContent": {"modelTurn": {"parts": [{"text": "x"}]}}}, *last]
        response = LLMResponse.from_stream(chunks, "google", "gemini-live-2.5-flash-preview")
        assert counted(response) == ("ok", 100, None, 50)


def interaction(status: str, **fields: Any) -> dict[str, Any]:
    return {"interaction": {"id": "i1", "model": "gemini-3-flash-preview", "status": status} | fields}


def test_an_interaction_of_gemini_counts_at_its_end() -> None:
    usage = {"total_input_tokens": 1000, "total_cached_tokens": 200, "total_output_tokens": 100}
    usage |= {"total_thought_tokens": 50, "total_tool_use_tokens": 30, "total_tokens": 1180}
    begun = {"event_type": "interaction.start"} | interaction("in_progress")
    said = {"event_type": "step.delta", "delta": {"type": "text", "text": "x" * 40}}
    ended = {"event_type": "interaction.complete"} | interaction("completed", usage=usage)
    whole = LLMResponse.from_stream([begun, said, ended], "google")
    assert counted(whole) == ("ok", 1030, 200, 150)
    assert whole.usage == LLMResponse.from_provider(ended["interaction"], "google").usage
    assert counted(LLMResponse.from_stream([begun, said], "google")) == ("partial", None, None, 10)
