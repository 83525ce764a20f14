"""What providers' servers answer, and what of it a row must hold: shared by the tests of watched clients."""

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from provider_server import Answer

MESSAGES = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Four criteria?"}]
USAGE = {"prompt_tokens": 70, "completion_tokens": 12, "total_tokens": 82}
COUNTS = (70, 12)


def chat(identity: str = "chatcmpl-1", model: str = "gpt-4o-2024-08-06", content: str = "Four", **more: Any) -> Any:
    message = {"role": "assistant", "content": content, "refusal": None} | more.pop("message", {})
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
    body = {"id": identity, "object": "chat.completion", "created": 1763800000, "model": model, "choices": [choice]}
    return body | {"usage": USAGE} | more


def chat_chunks(identity: str = "chatcmpl-2", model: str = "gpt-4o-2024-08-06", usage: bool = True) -> list[Any]:
    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        body = {"id": identity, "object": "chat.completion.chunk", "created": 1763800000, "model": model}
        return body | {"choices": [choice]} | more

    texts = [chunk({"role": "assistant", "content": text}) for text in ("Four ", "criteria ", "for ", "essays")]
    return [*texts, chunk({}, "stop"), *([chunk({}, choices=[], usage=USAGE)] if usage else [])]


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1763800000,
    "model": "gpt-5-mini-2025-08-07",
    "status": "completed",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "{}", "annotations": [], "logprobs": []}],
        }
    ],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 70,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 82,
    },
}
EMBEDDINGS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 70, "total_tokens": 70},
}
GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Four"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 70, "candidatesTokenCount": 12, "totalTokenCount": 82},
    "modelVersion": "gemini-2.5-flash",
    "responseId": "g1",
}
MESSAGE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [{"type": "text", "text": "{}"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 70, "output_tokens": 12},
}
MESSAGE_EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": MESSAGE
        | {"id": "msg_02", "content": [], "stop_reason": None, "usage": {"input_tokens": 70, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *[
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in ("Four ", "criteria ", "for ", "essays")
    ],
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 12},
    },
    {"type": "message_stop"},
]


def response_events() -> Iterator[dict[str, Any]]:
    begun = RESPONSE | {"status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun, "sequence_number": 0}
    item = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield {
        "type": "response.output_item.added",
        "output_index": 0,
        "sequence_number": 1,
        "item": {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []},
    }
    part = {"type": "output_text", "text": "", "annotations": []}
    yield {"type": "response.content_part.added", **item, "sequence_number": 2, "part": part}
    for number, text in enumerate(("Four ", "criteria")):
        delta = {"delta": text, "logprobs": [], "sequence_number": number + 3}
        yield {"type": "response.output_text.delta", **item, **delta}
    yield {"type": "response.completed", "response": RESPONSE, "sequence_number": 5}


def sse(events: Any, *, named: bool = False, done: bool = True, **more: Any) -> Answer:
    """Server-sent events; `named` ones say their type beside their data, as Anthropic's do."""
    pieces = [
        (f"event: {event['type']}\n" if named else "").encode() + f"data: {json.dumps(event)}\n\n".encode()
        for event in events
    ]
    return Answer([*pieces, *([b"data: [DONE]\n\n"] if done else [])], kind="text/event-stream", **more)


def aws_frame(kind: str, payload: bytes, of: str = "event") -> bytes:
    """A message of an AWS event stream."""
    headers = b""
    for name, value in ((f":{of}-type", kind), (":content-type", "application/json"), (":message-type", of)):
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))
