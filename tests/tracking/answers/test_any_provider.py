"""Any provider may answer in any shape, whole or as a stream: the shape is the answer's, the counts are the same."""

from dataclasses import replace
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot

from tracking import LLMResponse, Usage

PROVIDERS = [*(provider.id for provider in get_snapshot().providers), "ollama", "vllm", "somebody's gateway"]

CHAT_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 60,
    "total_tokens": 1060,
    "prompt_tokens_details": {"cached_tokens": 800},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
RESPONSES_USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 800},
    "output_tokens": 60,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 1060,
}
MESSAGES_USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 800,
    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
    "output_tokens": 60,
}
GEMINI_USAGE = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 800,
    "candidatesTokenCount": 40,
    "thoughtsTokenCount": 20,
    "totalTokenCount": 1060,
}
CONVERSE_USAGE = {
    "inputTokens": 100,
    "cacheReadInputTokens": 800,
    "cacheWriteInputTokens": 100,
    "outputTokens": 60,
    "totalTokens": 1060,
}
COHERE_USAGE = {"billed_units": {"input_tokens": 1000, "output_tokens": 60}, "tokens": {"input_tokens": 1100}}

INSIDE = Usage(input_tokens=1000, cache_read_tokens=800, output_tokens=60, reasoning_tokens=20)
WRITTEN = Usage(input_tokens=1000, cache_read_tokens=800, cache_write_tokens=100, output_tokens=60)
BOTH_LIFETIMES = Usage(
    input_tokens=1000,
    cache_read_tokens=800,
    cache_write_tokens=100,
    cache_write_1h_tokens=40,
    output_tokens=60,
    other_units={"cache_write_5m_tokens": 60},
)
BILLED = Usage(input_tokens=1000, output_tokens=60)


def message(**usage: Any) -> dict[str, Any]:
    return {"id": "a", "type": "message", "model": "m", "stop_reason": "end_turn", "content": [], "usage": usage}


PLAIN: dict[str, tuple[dict[str, Any], Usage]] = {
    "chat": ({"id": "a", "model": "m", "choices": [{"finish_reason": "stop"}], "usage": CHAT_USAGE}, INSIDE),
    "responses": (
        {"id": "a", "object": "response", "model": "m", "status": "completed", "output": [], "usage": RESPONSES_USAGE},
        INSIDE,
    ),
    "messages": (message(**MESSAGES_USAGE), BOTH_LIFETIMES),
    "gemini": (
        {"responseId": "a", "modelVersion": "m", "candidates": [], "usageMetadata": GEMINI_USAGE},
        INSIDE,
    ),
    "converse": ({"output": {}, "stopReason": "end_turn", "usage": CONVERSE_USAGE}, WRITTEN),
    "cohere": ({"id": "a", "finish_reason": "COMPLETE", "usage": COHERE_USAGE}, BILLED),
    "embeddings": (
        {"object": "list", "model": "m", "data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}},
        Usage(input_tokens=8),
    ),
}
STREAMED: dict[str, tuple[list[dict[str, Any]], Usage]] = {
    "chat": (
        [
            {"id": "a", "model": "m", "choices": [{"delta": {"content": "Four"}, "finish_reason": None}]},
            {"id": "a", "model": "m", "choices": [{"delta": {}, "finish_reason": "stop"}]},
            {"id": "a", "model": "m", "choices": [], "usage": CHAT_USAGE},
        ],
        INSIDE,
    ),
    "responses": (
        [
            {"type": "response.output_text.delta", "delta": "Four"},
            {"type": "response.completed", "response": PLAIN["responses"][0]},
        ],
        INSIDE,
    ),
    "messages": (
        [
            {"type": "message_start", "message": message(**MESSAGES_USAGE | {"output_tokens": 1})},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Four"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 60}},
            {"type": "message_stop"},
        ],
        BOTH_LIFETIMES,
    ),
    "gemini": (
        [
            {"modelVersion": "m", "candidates": [{"content": {"parts": [{"text": "Four"}]}}]},
            {"modelVersion": "m", "candidates": [{"finishReason": "STOP"}], "usageMetadata": GEMINI_USAGE},
        ],
        INSIDE,
    ),
    "converse": (
        [
            {"contentBlockDelta": {"delta": {"text": "Four"}}},
            {"messageStop": {"stopReason": "end_turn"}},
            {"metadata": {"usage": CONVERSE_USAGE, "metrics": {"latencyMs": 5}}},
        ],
        WRITTEN,
    ),
    "cohere": (
        [
            {"type": "content-delta", "delta": {"message": {"content": {"text": "Four"}}}},
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": COHERE_USAGE}},
        ],
        BILLED,
    ),
}


def expected_of(provider: str, shape: str, usage: Usage) -> Usage:
    """At Perplexity reasoning stands beside the completion."""
    return replace(usage, output_tokens=80) if (provider, shape) == ("perplexity", "chat") else usage


@pytest.mark.parametrize("shape", PLAIN)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_any_provider_answers_in_any_shape(provider: str, shape: str) -> None:
    body, usage = PLAIN[shape]
    response = LLMResponse.from_provider(body, provider=provider)
    expected = expected_of(provider, shape, usage)
    assert (response.provider, response.usage, response.status) == (provider, expected, "ok")
    assert response.assumptions == ()


@pytest.mark.parametrize("shape", STREAMED)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_any_provider_streams_in_any_shape(provider: str, shape: str) -> None:
    chunks, usage = STREAMED[shape]
    response = LLMResponse.from_stream(chunks, provider=provider, model="m")
    expected = expected_of(provider, shape, usage)
    assert (response.provider, response.usage, response.status) == (provider, expected, "ok")
    assert (response.estimated, response.assumptions) == (False, ())


def test_messages_and_responses_are_told_apart_by_where_the_cache_stands() -> None:
    """Both count `input_tokens`; one leaves the cache out of it, the other does not."""
    for provider in PROVIDERS:
        inside = {"usage": {"input_tokens": 900, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 800}}}
        beside = {"usage": {"input_tokens": 100, "output_tokens": 1, "cache_read_input_tokens": 800}}
        for body in (inside, beside):
            usage = LLMResponse.from_provider(body, provider=provider, model="m").usage
            assert (usage.input_tokens, usage.cache_read_tokens) == (900, 800), (provider, body)
