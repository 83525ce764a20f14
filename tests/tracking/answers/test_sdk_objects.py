"""What the providers' own SDKs return is taken as it is: their classes, built by their own means."""

import warnings
from typing import Any

import pytest
from provider_answers import ANTHROPIC, CHAT, RESPONSES

from tracking import CostTracker, LLMResponse, Usage


@pytest.fixture(autouse=True)
def _no_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def openai_chat() -> Any:
    from openai.types.chat import ChatCompletion

    choice = CHAT["choices"][0] | {"index": 0, "logprobs": None}
    return ChatCompletion.model_validate(CHAT | {"choices": [choice], "service_tier": "default"})


def openai_response() -> Any:
    from openai.types.responses import Response

    message = {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Four criteria", "annotations": []}],
    }
    return Response.construct(**RESPONSES | {"output": [message]})


def openai_embedding() -> Any:
    from openai.types import CreateEmbeddingResponse

    return CreateEmbeddingResponse.model_validate(
        {
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        }
    )


def anthropic_message() -> Any:
    from anthropic.types import Message

    content = [
        {"type": "thinking", "thinking": "hmm", "signature": "s"},
        {"type": "text", "text": "Four criteria", "citations": None},
    ]
    return Message.construct(**ANTHROPIC | {"role": "assistant", "stop_sequence": None, "content": content})


OBJECTS = {
    "openai chat completion": (
        openai_chat,
        ("openai", "gpt-4o-2024-08-06", "chatcmpl-1", "Four criteria"),
        Usage(
            input_tokens=1200,
            cache_read_tokens=1024,
            output_tokens=80,
            reasoning_tokens=30,
            other_units={"input_audio_tokens": 0},
        ),
    ),
    "openai response": (
        openai_response,
        ("openai", "gpt-5-mini-2025-08-07", "resp_1", "Four criteria"),
        Usage(input_tokens=415, cache_read_tokens=128, output_tokens=224, reasoning_tokens=128),
    ),
    "openai embedding": (
        openai_embedding,
        ("openai", "text-embedding-3-small", None, None),
        Usage(input_tokens=8),
    ),
    "anthropic message": (
        anthropic_message,
        ("anthropic", "claude-sonnet-4-5-20250929", "msg_1", "Four criteria"),
        Usage(
            input_tokens=1310,
            cache_read_tokens=1000,
            cache_write_tokens=300,
            cache_write_1h_tokens=200,
            output_tokens=50,
            other_units={"cache_write_5m_tokens": 100, "web_searches": 2},
        ),
    ),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_sdk_object_is_read_like_the_body_it_was_made_from(kind: str, tracker: CostTracker) -> None:
    make, (provider, model, identity, text), usage = OBJECTS[kind]
    response = LLMResponse.from_provider(make())
    assert (response.provider, response.model, response.id, response.text) == (provider, model, identity, text)
    assert response.usage == usage
    record = tracker.record(
        llm_response=make(), trackable=("Assignment", 1), user=1, request_type="generate_rubric", prompt="p"
    )
    assert (record.pricing_status, record.provider_response_id) == ("priced", identity)
    assert (record.input_tokens, record.output_tokens) == (usage.input_tokens, usage.output_tokens)


def test_messages_of_an_sdk_may_be_the_prompt(tracker: CostTracker) -> None:
    record = tracker.record(
        llm_response=openai_chat(),
        trackable=("Assignment", 1),
        user=1,
        request_type="generate_rubric",
        prompt=[{"role": "user", "content": "go"}, openai_chat().choices[0].message],
    )
    assert record.prompt_chars > 50
