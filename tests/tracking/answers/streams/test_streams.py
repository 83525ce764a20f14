"""Streams of the real clients, from a server on this machine: exact at their end."""

import asyncio
from typing import Any

import pytest
from sse_server import serving
from streamed import (
    ANTHROPIC_EVENTS,
    ASK_ANTHROPIC,
    CHAT_CHUNKS,
    CHAT_USAGE,
    MESSAGES,
    TEXT,
    anthropic_client,
    chat_chunk,
    chat_usage,
    response_events,
    sse,
)

import tracking
from tracking import LLMResponse, ResponseError, Usage

ANTHROPIC_USAGE = Usage(
    input_tokens=1310,
    cache_read_tokens=1000,
    cache_write_tokens=300,
    cache_write_1h_tokens=200,
    output_tokens=50,
    other_units={"cache_write_5m_tokens": 100, "web_searches": 2},
)


def openai_client(url: str) -> Any:
    from openai import OpenAI

    return OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)


ASK_OPENAI: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": MESSAGES,
    "stream": True,
    "stream_options": {"include_usage": True},
}


def test_openai_chat_stream_is_exact_at_its_end() -> None:
    with serving(sse(CHAT_CHUNKS, done=True)) as url, openai_client(url) as client:
        response = LLMResponse.from_provider(client.chat.completions.create(**ASK_OPENAI))
    assert response.usage == CHAT_USAGE
    assert (response.provider, response.model, response.id) == ("openai", "gpt-4o-2024-08-06", "chatcmpl-1")
    assert (response.status, response.estimated, response.stream) == ("ok", False, True)
    assert response.finish_reason == "stop"


def test_a_watched_stream_passes_every_chunk_through_as_it_is() -> None:
    with serving(sse(CHAT_CHUNKS, done=True)) as url, openai_client(url) as client:
        plain = list(client.chat.completions.create(**ASK_OPENAI))
        stream = tracking.watch_stream(client.chat.completions.create(**ASK_OPENAI))
        assert list(stream) == plain
    assert stream.response == LLMResponse.from_stream(plain)
    assert LLMResponse.from_provider(stream) == stream.response


def test_openai_asynchronous_stream() -> None:
    from openai import AsyncOpenAI

    async def ask(url: str) -> tuple[LLMResponse, LLMResponse]:
        async with AsyncOpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0) as client:
            read = await LLMResponse.from_async_stream(await client.chat.completions.create(**ASK_OPENAI))
            async with tracking.watch_stream(await client.chat.completions.create(**ASK_OPENAI)) as stream:
                assert [chunk.choices[0].delta.content async for chunk in stream if chunk.choices][:4] == TEXT
            with pytest.raises(ResponseError, match="from_async_stream"):
                LLMResponse.from_provider(await client.chat.completions.create(**ASK_OPENAI))
            return read, stream.response

    with serving(sse(CHAT_CHUNKS, done=True)) as url:
        read, watched = asyncio.run(ask(url))
    assert read == watched
    assert read.usage == CHAT_USAGE


@pytest.mark.parametrize(
    ("last", "status", "finish"),
    [("completed", "ok", "completed"), ("incomplete", "ok", "incomplete"), ("failed", "error", "failed")],
)
def test_openai_responses_stream(last: str, status: str, finish: str) -> None:
    with serving(sse(response_events(last), named=True)) as url, openai_client(url) as client:
        response = LLMResponse.from_provider(client.responses.create(model="gpt-5-mini", input="x", stream=True))
    assert response.usage == Usage(
        input_tokens=415, cache_read_tokens=128, cache_write_tokens=0, output_tokens=224, reasoning_tokens=128
    )
    assert (response.provider, response.id, response.status, response.finish_reason) == (
        "openai",
        "resp_1",
        status,
        finish,
    )


@pytest.mark.parametrize("helper", [False, True])
def test_anthropic_stream(helper: bool) -> None:
    with serving(sse(ANTHROPIC_EVENTS, named=True)) as url, anthropic_client(url) as client:
        if helper:
            with tracking.watch_stream(client.messages.stream(**ASK_ANTHROPIC)) as stream:
                list(stream)
            response = stream.response
        else:
            response = LLMResponse.from_provider(client.messages.create(stream=True, **ASK_ANTHROPIC))
    assert response.usage == ANTHROPIC_USAGE
    assert (response.provider, response.id, response.status) == ("anthropic", "msg_1", "ok")
    assert (response.finish_reason, response.service_tier) == ("end_turn", "standard")


def test_anthropic_asynchronous_stream() -> None:
    from anthropic import AsyncAnthropic

    async def ask(url: str) -> LLMResponse:
        async with AsyncAnthropic(api_key="k", base_url=url, max_retries=0) as client:
            async with tracking.watch_stream(client.messages.stream(**ASK_ANTHROPIC)) as stream:
                async for _ in stream:
                    pass
            return stream.response

    with serving(sse(ANTHROPIC_EVENTS, named=True)) as url:
        assert asyncio.run(ask(url)).usage == ANTHROPIC_USAGE


GEMINI_CHUNKS: list[dict[str, Any]] = [
    {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}],
        "usageMetadata": {"promptTokenCount": 900, "candidatesTokenCount": number, "totalTokenCount": 900 + number},
        "modelVersion": "gemini-2.5-flash",
        "responseId": "g-1",
    }
    for number, text in enumerate(TEXT)
]
GEMINI_CHUNKS.append(
    {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "."}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 900,
            "candidatesTokenCount": 40,
            "thoughtsTokenCount": 60,
            "totalTokenCount": 1000,
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "g-1",
    }
)


def test_gemini_stream() -> None:
    genai = pytest.importorskip("google.genai")
    with serving(sse(GEMINI_CHUNKS)) as url:
        client = genai.Client(api_key="k", http_options={"base_url": url})
        response = LLMResponse.from_provider(
            client.models.generate_content_stream(model="gemini-2.5-flash", contents="x")
        )
    assert response.usage == Usage(input_tokens=900, output_tokens=100, reasoning_tokens=60)
    assert (response.provider, response.model, response.id) == ("google", "gemini-2.5-flash", "g-1")
    assert (response.status, response.finish_reason) == ("ok", "STOP")


def test_mistral_stream() -> None:
    mistral = pytest.importorskip("mistralai.client")
    chunks = [chat_chunk(text) for text in TEXT]
    chunks.append(chat_chunk("", "stop", usage=chat_usage(70, 12)))
    chunks = [chunk | {"model": "mistral-large-latest", "id": "m1"} for chunk in chunks]
    with serving(sse(chunks, done=True)) as url:
        client = mistral.Mistral(api_key="k", server_url=url)
        response = LLMResponse.from_provider(client.chat.stream(model="mistral-large-latest", messages=MESSAGES))
    assert response.usage == Usage(input_tokens=70, cache_read_tokens=0, output_tokens=12)
    assert (response.provider, response.model, response.id) == ("mistral", "mistral-large-latest", "m1")


def test_groq_stream_has_its_usage_under_x_groq() -> None:
    groq = pytest.importorskip("groq")
    chunks = [chat_chunk(text) for text in TEXT]
    chunks.append(chat_chunk(finish="stop", x_groq={"id": "req_1", "usage": chat_usage(779, 65)}))
    chunks = [chunk | {"model": "llama-3.3-70b-versatile"} for chunk in chunks]
    with serving(sse(chunks, done=True)) as url:
        client = groq.Groq(api_key="k", base_url=url, max_retries=0)
        stream = client.chat.completions.create(model="llama-3.3-70b-versatile", messages=MESSAGES, stream=True)
        response = LLMResponse.from_provider(stream)
    assert (response.usage.input_tokens, response.usage.output_tokens) == (779, 65)
    assert (response.provider, response.status) == ("groq", "ok")


COHERE_EVENTS = [
    {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant", "content": []}}},
    *[
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"type": "text", "text": text}}}}
        for text in TEXT
    ],
    {
        "type": "message-end",
        "delta": {
            "finish_reason": "COMPLETE",
            "usage": {
                "billed_units": {"input_tokens": 24, "output_tokens": 2},
                "tokens": {"input_tokens": 29, "output_tokens": 4},
            },
        },
    },
]


def test_cohere_stream() -> None:
    cohere = pytest.importorskip("cohere")
    with serving(sse(COHERE_EVENTS, named=True)) as url:
        client = cohere.ClientV2(api_key="k", base_url=url)
        stream = client.chat_stream(model="command-r-plus-08-2024", messages=MESSAGES)
        response = LLMResponse.from_provider(stream, model="command-r-plus-08-2024")
    assert response.usage == Usage(input_tokens=24, output_tokens=2)
    assert (response.provider, response.id, response.finish_reason) == ("cohere", "c1", "COMPLETE")


CONVERSE_EVENTS = [
    {"messageStart": {"role": "assistant"}},
    *[{"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}} for text in TEXT],
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": {"inputTokens": 22, "outputTokens": 13, "totalTokens": 35}, "metrics": {"latencyMs": 5}}},
]


def test_bedrock_streams() -> None:
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    response = LLMResponse.from_stream(CONVERSE_EVENTS, model=model)
    assert response.usage == Usage(input_tokens=22, output_tokens=13)
    assert (response.provider, response.finish_reason) == ("aws", "end_turn")
    import json

    invoked = [{"chunk": {"bytes": json.dumps(entry).encode()}} for entry in ANTHROPIC_EVENTS]
    assert LLMResponse.from_stream(invoked, provider="aws", model=model).usage.output_tokens == 50


def test_langchain_chunks_add_up() -> None:
    messages = pytest.importorskip("langchain_core.messages")

    def usage(inputs: int, outputs: int) -> dict[str, int]:
        return {"input_tokens": inputs, "output_tokens": outputs, "total_tokens": inputs + outputs}

    chunks = [
        messages.AIMessageChunk(
            content="Four",
            usage_metadata=usage(10, 0),
            response_metadata={"model_name": "claude-sonnet-4-5", "model_provider": "anthropic"},
        ),
        messages.AIMessageChunk(content="", usage_metadata=usage(0, 50), response_metadata={"stop_reason": "end_turn"}),
    ]
    response = LLMResponse.from_stream(chunks)
    assert response.usage == Usage(input_tokens=10, output_tokens=50)
    assert (response.provider, response.model, response.status) == ("anthropic", "claude-sonnet-4-5", "ok")
