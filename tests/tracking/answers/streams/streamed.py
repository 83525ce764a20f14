"""What OpenAI and Anthropic stream of one answer, and their clients that ask a server on this machine."""

import math
from typing import Any

from sse_server import event

from tracking import Usage

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
CHAT_USAGE = Usage(input_tokens=1200, cache_read_tokens=1024, output_tokens=80)


def sse(chunks: list[dict[str, Any]], *, named: bool = False, done: bool = False) -> list[bytes]:
    events = [event(chunk, chunk["type"] if named else None) for chunk in chunks]
    return [*events, event("[DONE]")] if done else events


def anthropic_client(url: str) -> Any:
    from anthropic import Anthropic

    return Anthropic(api_key="k", base_url=url, max_retries=0)


MESSAGES = [{"role": "user", "content": "Make a rubric"}]
ASK_ANTHROPIC: dict[str, Any] = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": MESSAGES}
