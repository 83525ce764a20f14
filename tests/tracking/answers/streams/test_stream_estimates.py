"""Streams that broke off, or never said what they used: estimated, and marked."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sse_server import serving
from streamed import (
    ANTHROPIC_EVENTS,
    ASK_ANTHROPIC,
    CHAT_CHUNKS,
    ESTIMATE,
    TEXT,
    anthropic_client,
    chat_chunk,
    chat_usage,
    response_events,
    sse,
)

import tracking
from tracking import LLMResponse, Usage


def test_a_failed_response_without_usage_is_estimated() -> None:
    response = LLMResponse.from_stream(response_events("failed", None))
    assert (response.status, response.estimated) == ("partial", True)
    assert response.usage == Usage(output_tokens=ESTIMATE)


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
