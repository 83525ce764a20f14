"""Bedrock as boto3's own client gives it: answers and event streams read from a server on this machine."""

import base64
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import pytest
from provider_answers import ANTHROPIC, CONVERSE
from sse_server import serving

import tracking
from tracking import LLMResponse, ResponseError, Usage

boto3 = pytest.importorskip("boto3")

MODEL = "anthropic.claude-sonnet-4-20250514-v1:0"
EVENT_STREAM = "application/vnd.amazon.eventstream"
MESSAGES = [{"role": "user", "content": [{"text": "Make a rubric"}]}]
USAGE = Usage(input_tokens=412, output_tokens=8)

CONVERSATION: list[tuple[str, dict[str, Any]]] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Four "}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "criteria"}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": {"inputTokens": 412, "outputTokens": 8, "totalTokens": 420}, "metrics": {"latencyMs": 9}}),
]
OF_ANTHROPIC: list[dict[str, Any]] = [
    {"type": "message_start", "message": ANTHROPIC | {"content": [], "usage": {"input_tokens": 412}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Four criteria"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 8}},
    {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {"inputTokenCount": 412, "outputTokenCount": 8, "invocationLatency": 9},
    },
]


def message(name: str, payload: dict[str, Any]) -> bytes:
    """One message of AWS's binary encoding. Source: https://smithy.io/2.0/aws/amazon-eventstream.html"""
    headers = b"".join(
        struct.pack(">B", len(key)) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in ((":event-type", name), (":content-type", "application/json"), (":message-type", "event"))
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 12 + len(headers) + len(body) + 4, len(headers))
    whole = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return whole + struct.pack(">I", crc32(whole))


def chunk(event: dict[str, Any]) -> bytes:
    return message("chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()})


@contextmanager
def bedrock(events: list[bytes], content_type: str = EVENT_STREAM, *, broken: bool = False) -> Iterator[Any]:
    with serving(events, broken=broken, content_type=content_type) as url:
        yield boto3.client(
            "bedrock-runtime",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )


def test_an_answer_of_converse() -> None:
    with bedrock([json.dumps(CONVERSE).encode()], "application/json") as client:
        answer = client.converse(modelId=MODEL, messages=MESSAGES)
    response = LLMResponse.from_provider(answer, model=MODEL)
    assert (response.provider, response.model, response.status) == ("aws", MODEL, "ok")
    assert response.usage == LLMResponse.from_provider(CONVERSE, model=MODEL).usage


def test_a_stream_of_converse_is_read_to_its_end() -> None:
    with bedrock([message(*each) for each in CONVERSATION]) as client:
        response = LLMResponse.from_provider(client.converse_stream(modelId=MODEL, messages=MESSAGES), model=MODEL)
    assert (response.provider, response.usage) == ("aws", USAGE)
    assert (response.status, response.finish_reason) == ("ok", "end_turn")


def test_a_stream_of_converse_passes_through_untouched() -> None:
    with bedrock([message(*each) for each in CONVERSATION]) as client:
        stream = tracking.watch_stream(client.converse_stream(modelId=MODEL, messages=MESSAGES)["stream"], model=MODEL)
        assert [next(iter(event)) for event in stream] == [name for name, _ in CONVERSATION]
    assert (stream.response.usage, stream.response.status) == (USAGE, "ok")


def test_a_stream_of_converse_that_breaks_off_is_partial_and_its_output_estimated() -> None:
    with bedrock([message(*each) for each in CONVERSATION[:3]], broken=True) as client:
        stream = tracking.watch_stream(client.converse_stream(modelId=MODEL, messages=MESSAGES)["stream"], model=MODEL)
        list(stream)  # botocore takes the loss of a connection for the end
    assert (stream.response.status, stream.response.estimated) == ("partial", True)
    assert stream.response.usage.output_tokens == 4


def test_a_stream_of_invoke_model() -> None:
    with bedrock([chunk(event) for event in OF_ANTHROPIC]) as client:
        answer = client.invoke_model_with_response_stream(modelId=MODEL, body=b"{}")
        response = LLMResponse.from_provider(answer, model=MODEL)
    assert (response.provider, response.model, response.usage) == ("aws", MODEL, USAGE)
    assert (response.finish_reason, response.status) == ("end_turn", "ok")


def test_the_body_of_invoke_model_is_to_be_read_first() -> None:
    with bedrock([json.dumps(ANTHROPIC).encode()], "application/json") as client:
        answer = client.invoke_model(modelId=MODEL, body=b"{}")
        with pytest.raises(ResponseError, match="still to be read"):
            LLMResponse.from_provider(answer, model=MODEL)
        response = LLMResponse.from_provider(json.loads(answer["body"].read()), provider="aws", model=MODEL)
    assert response.provider == "aws"
    assert response.usage.token_counts() == LLMResponse.from_provider(ANTHROPIC).usage.token_counts()
