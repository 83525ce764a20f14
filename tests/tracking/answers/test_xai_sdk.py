"""xai-sdk's own objects and streams make the row that xAI bills: reasoning beside the completion, its cost in ticks."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tracking import CostTracker

pytest.importorskip("xai_sdk")

from xai_sdk.chat import Chunk, Response
from xai_sdk.proto import chat_pb2, usage_pb2

USAGE = usage_pb2.SamplingUsage(
    prompt_tokens=1200,
    completion_tokens=80,
    reasoning_tokens=40,
    total_tokens=1320,
    cached_prompt_text_tokens=1000,
    cost_in_usd_ticks=4_321_000,
)


def whole() -> Response:
    message = chat_pb2.CompletionMessage(content="Four criteria", role=chat_pb2.ROLE_ASSISTANT)
    output = chat_pb2.CompletionOutput(index=0, message=message)
    return Response(chat_pb2.GetChatCompletionResponse(id="xai-1", model="grok-4.3", outputs=[output], usage=USAGE), 0)


def streamed() -> Iterator[tuple[Response, Chunk]]:
    so_far = Response(chat_pb2.GetChatCompletionResponse(), 0)
    for text in ("Four ", "criteria"):
        output = chat_pb2.CompletionOutputChunk(index=0, delta=chat_pb2.Delta(content=text))
        yield so_far, Chunk(chat_pb2.GetChatCompletionChunk(id="xai-1", model="grok-4.3", outputs=[output]), 0)
    yield so_far, Chunk(chat_pb2.GetChatCompletionChunk(id="xai-1", model="grok-4.3", usage=USAGE), 0)


@pytest.mark.parametrize("answer", [whole, streamed])
def test_an_object_and_a_stream_of_xais_sdk_give_the_row_that_xai_bills(
    answer: Callable[[], object], tracker: CostTracker
) -> None:
    record = tracker.record(
        llm_response=answer(),
        provider="xai",
        trackable=("Assignment", 1),
        user=1,
        request_type="generate_rubric",
        prompt="p",
    )
    assert (record.provider, record.model, record.provider_response_id) == ("x-ai", "grok-4.3", "xai-1")
    assert (record.input_tokens, record.cache_read_tokens) == (1200, 1000)
    assert (record.output_tokens, record.reasoning_tokens) == (120, 40)
    assert record.status == "ok"
    assert record.pricing_status == "provider_reported"
    assert record.cost_usd == record.provider_cost_usd == Decimal("0.0004321")
