"""Streams of the real clients, from a server on this machine: exact at their end, estimated and marked when broken."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sse_server import event, serving

import tracking
from tracking import LLMResponse, ResponseError, Usage

TEXT = ["Four ", "criteria ", "for ", "essays"]
ESTIMATE = math.ceil(len("".join(TEXT)) / 4)


def chat_chunk(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {} if content is None else {"role": "assistant", "content": content}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1763800000,
        "model": "gpt-4o-2024-08-06",
        "choices": choices,
    } | more


def chat_usage(inputs: int, outputs: int, cached: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": inputs,
        "completion_tokens": outputs,
        "total_tokens": inputs + outputs,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


CHAT_CHUNKS = [
    *[chat_chunk(text, usage=None) for text in TEXT],
    chat_chunk(finish="stop", usage=None),
    chat_chunk(choices=[], usage=chat_usage(1200, 80, 1024)),
]
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1763800000,
    "model": "gpt-5-mini-2025-08-07",
    "status": "in_progress",
    "output": [],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
}
RESPONSE_USAGE = {
    "input_tokens": 415,
    "input_tokens_details": {"cached_tokens": 128, "cache_write_tokens": 0},
    "output_tokens": 224,
    "output_tokens_details": {"reasoning_tokens": 128},
    "total_tokens": 639,
}


def response_events(last: str = "completed", usage: Any = RESPONSE_USAGE) -> list[dict[str, Any]]:
    deltas = [
        {
            "type": "response.output_text.delta",
            "delta": text,
            "item_id": "i",
            "output_index": 0,
            "content_index": 0,
            "logprobs": [],
        }
        for text in TEXT
    ]
    events = [
        {"type": "response.created", "response": RESPONSE},
        *deltas,
        {"type": f"response.{last}", "response": RESPONSE | {"status": last, "usage": usage}},
    ]
    return [entry | {"sequence_number": number} for number, entry in enumerate(events)]


ANTHROPIC_START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 1000,
            "cache_creation_input_tokens": 300,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            "output_tokens": 1,
            "service_tier": "standard",
        },
    },
}
ANTHROPIC_EVENTS = [
    ANTHROPIC_START,
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *[{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in TEXT],
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 50, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0}},
    },
    {"type": "message_stop"},
]
ANTHROPIC_USAGE = Usage(
    input_tokens=1310,
    cache_read_tokens=1000,
    cache_write_tokens=300,
    cache_write_1h_tokens=200,
    output_tokens=50,
    other_units={"cache_write_5m_tokens": 100, "web_searches": 2},
)
CHAT_USAGE = Usage(input_tokens=1200, cache_read_tokens=1024, output_tokens=80)


def sse(chunks: list[dict[str, Any]], *, named: bool = False, done: bool = False) -> list[bytes]:
    events = [event(chunk, chunk["type"] if named else None) for chunk in chunks]
    return [*events, event("[DONE]")] if done else events


def openai_client(url: str) -> Any:
    from openai import OpenAI

    return OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)


def anthropic_client(url: str) -> Any:
    from anthropic import Anthropic

    return Anthropic(api_key="k", base_url=url, max_retries=0)


MESSAGES = [{"role": "user", "content": "Make a rubric"}]
ASK_ANTHROPIC: dict[str, Any] = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": MESSAGES}
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


def test_a_failed_response_without_usage_is_estimated() -> None:
    response = LLMResponse.from_stream(response_events("failed", None))
    assert (response.status, response.estimated) == ("partial", True)
    assert response.usage == Usage(output_tokens=ESTIMATE)


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


def test_ccusage_938_the_last_usage_counts_not_the_first_snapshot() -> None:
    growing = [chat_chunk(text, usage=chat_usage(1200, number)) for number, text in enumerate(TEXT)]
    response = LLMResponse.from_stream([*growing, chat_chunk(finish="stop", usage=chat_usage(1200, 80))])
    assert (response.usage.output_tokens, response.status) == (80, "ok")


def test_ccusage_938_a_snapshot_alone_is_no_final_usage() -> None:
    response = LLMResponse.from_stream(ANTHROPIC_EVENTS[:-2])
    assert (response.status, response.estimated) == ("partial", True)
    assert response.usage.output_tokens == ESTIMATE


@pytest.mark.parametrize("ending", ["break", "exception", "broken connection"])
def test_litellm_33736_a_stream_that_broke_off_leaves_an_estimate(ending: str) -> None:
    with (
        serving(sse(ANTHROPIC_EVENTS[:-3], named=True), broken=True) as url,
        anthropic_client(url) as client,
    ):
        stream = tracking.watch_stream(client.messages.create(stream=True, **ASK_ANTHROPIC))

        def consume() -> None:
            for number, _ in enumerate(stream):
                if ending == "break" and number == 3:
                    break
                if ending == "exception" and number == 3:
                    raise RuntimeError("the user left")

        if ending == "break":
            with stream:
                consume()
        else:
            with pytest.raises(Exception, match=r"user left|peer closed|incomplete"), stream:
                consume()
    seen = TEXT if ending == "broken connection" else TEXT[:2]
    response = stream.response
    assert (response.status, response.estimated, response.provider) == ("partial", True, "anthropic")
    assert response.usage.output_tokens == math.ceil(len("".join(seen)) / 4)
    assert (response.usage.input_tokens, response.usage.cache_read_tokens) == (1310, 1000)
    assert (response.error_type is None) == (ending == "break")


def test_a_stream_without_usage_has_no_input_tokens_rather_than_zero() -> None:
    response = LLMResponse.from_stream(CHAT_CHUNKS[:-1])
    assert (response.status, response.estimated) == ("partial", True)
    assert response.usage == Usage(output_tokens=ESTIMATE)
    assert response.model == "gpt-4o-2024-08-06"


def test_text_of_tool_calls_and_thoughts_counts_in_the_estimate() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "grade", "arguments": "12345678"}}
    chunks = [chat_chunk(delta_text) for delta_text in ("1234",)]
    chunks += [chat_chunk(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}])]
    chunks += [chat_chunk(choices=[{"index": 0, "delta": {"reasoning_content": "1234"}, "finish_reason": None}])]
    assert LLMResponse.from_stream(chunks).usage == Usage(output_tokens=4)


def test_response_may_be_asked_for_at_any_time_and_grows() -> None:
    stream = tracking.watch_stream(iter(CHAT_CHUNKS))
    with pytest.raises(ResponseError, match="no chunk"):
        _ = stream.response
    next(stream)
    assert stream.response.usage == Usage(output_tokens=2)
    for _ in stream:
        pass
    assert stream.response.usage == CHAT_USAGE


def test_nothing_of_the_text_is_kept_and_chunks_are_not_changed() -> None:
    secret = "canary-7f3"
    chunks = [chat_chunk(secret), *CHAT_CHUNKS]
    before = repr(chunks)
    stream = tracking.watch_stream(iter(chunks))
    list(stream)
    assert repr(chunks) == before
    assert secret not in repr(vars(stream._reader))
    assert stream.response.text is None


def test_a_chunk_is_taken_only_when_the_caller_asks() -> None:
    taken: list[int] = []

    def chunks() -> Iterator[dict[str, Any]]:
        for number, chunk in enumerate(CHAT_CHUNKS):
            taken.append(number)
            yield chunk

    stream = tracking.watch_stream(chunks())
    next(stream)
    assert taken == [0]


@pytest.mark.parametrize("chunk", [5, "text", None, object()])
def test_unreadable_chunks_pass_through_and_are_named_at_the_end(chunk: object) -> None:
    stream = tracking.watch_stream(iter([chunk]), provider="openai")
    assert list(stream) == [chunk]
    with pytest.raises(ResponseError, match=type(chunk).__name__):
        _ = stream.response


def test_the_stream_of_a_provider_that_no_catalogue_knows_is_read_like_any_other() -> None:
    stream = tracking.watch_stream(iter(CHAT_CHUNKS), provider="Acme")
    assert len(list(stream)) == len(CHAT_CHUNKS)
    assert (stream.response.provider, stream.response.usage, stream.response.status) == ("acme", CHAT_USAGE, "ok")


def test_errors_of_an_asynchronous_stream_go_through() -> None:
    async def chunks() -> AsyncIterator[dict[str, Any]]:
        yield CHAT_CHUNKS[0]
        raise ConnectionError("gone")

    async def read() -> LLMResponse:
        stream = tracking.watch_stream(chunks())
        with pytest.raises(ConnectionError, match="gone"):
            async for _ in stream:
                pass
        return stream.response

    response = asyncio.run(read())
    assert (response.status, response.error_type) == ("partial", "ConnectionError")
