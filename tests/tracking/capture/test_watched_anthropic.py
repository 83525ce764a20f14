"""`tracker.watch()` on Anthropic's clients, of Bedrock and Vertex too."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from captured_answers import COUNTS, MESSAGE, MESSAGE_EVENTS, aws_frame, sse
from provider_server import Answer, ProviderServer, json_answer

import tracking
from tracking import CostTracker

anthropic = pytest.importorskip("anthropic")

Rows = Callable[[], list[dict[str, Any]]]
WHO: dict[str, Any] = {"user": "teacher-1", "trackable": ("Assignment", 42), "request_type": "generate_rubric"}
QUESTION = [{"role": "user", "content": "Four criteria?"}]
ASKED: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": QUESTION, "system": "Be brief"}
PROMPT = json.dumps([{"role": "system", "content": "Be brief"}, *QUESTION], sort_keys=True)


@pytest.fixture
def client(tracker: CostTracker, provider: ProviderServer) -> Any:
    provider.on("/v1/messages", json_answer(MESSAGE))
    with anthropic.Anthropic(base_url=provider.url, api_key="k", max_retries=2) as client:
        yield tracker.watch(client)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.messages.create(**ASKED),
        lambda client: client.messages.with_raw_response.create(**ASKED).parse(),
        lambda client: client.beta.messages.create(**ASKED),
        lambda client: client.with_options(timeout=5).messages.create(**ASKED),
    ],
)
def test_every_method_is_one_row_and_gives_what_it_gives_unwatched(
    client: Any, provider: ProviderServer, rows: Rows, call: Callable[[Any], Any]
) -> None:
    with anthropic.Anthropic(base_url=provider.url, api_key="k") as unwatched:
        expected = call(unwatched)
    with tracking.attribution(**WHO):
        result = call(client)
    assert type(result) is type(expected)
    assert result == expected
    (row,) = rows()
    assert (row["input_tokens"], row["output_tokens"], row["provider"]) == (*COUNTS, "anthropic")
    assert (row["prompt"], row["user_id"], row["micro_usd"]) == (PROMPT, "teacher-1", 260)


@pytest.mark.parametrize("how", ["loop", "helper", "texts"])
def test_a_stream_is_one_row(client: Any, provider: ProviderServer, rows: Rows, how: str) -> None:
    provider.on("/v1/messages", sse(MESSAGE_EVENTS, named=True, done=False))
    with tracking.attribution(**WHO):
        if how == "loop":
            with client.messages.create(**ASKED, stream=True) as stream:
                assert [event.type for event in stream] == [event["type"] for event in MESSAGE_EVENTS]
        else:
            with client.messages.stream(**ASKED) as stream:
                if how == "texts":
                    assert list(stream.text_stream) == ["Four ", "criteria ", "for ", "essays"]
                assert stream.get_final_message().usage.output_tokens == 12
    (row,) = rows()
    assert (row["input_tokens"], row["output_tokens"], row["status"], row["user_id"]) == (*COUNTS, "ok", "teacher-1")
    assert row["ttft_ms"] is not None


def test_a_stream_left_early_is_partial(client: Any, provider: ProviderServer, rows: Rows) -> None:
    provider.on("/v1/messages", sse(MESSAGE_EVENTS[:4], named=True, done=False, broken=True))
    with client.messages.stream(**ASKED) as stream:
        next(iter(stream.text_stream))
    (row,) = rows()
    assert (row["input_tokens"], row["status"], row["pricing_status"]) == (70, "partial", "estimated")


def test_retries_are_one_call_and_failures_one_row(client: Any, provider: ProviderServer, rows: Rows) -> None:
    overloaded = json_answer({"type": "error", "error": {"type": "overloaded_error"}}, 529, retry_after_ms="1")
    provider.on("/v1/messages", overloaded, json_answer(MESSAGE))
    client.messages.create(**ASKED)
    provider.on("/v1/messages", overloaded)
    with pytest.raises(anthropic.APIStatusError):
        client.messages.create(**ASKED)
    assert [(row["status"], row["error_type"]) for row in rows()] == [("ok", None), ("error", "OverloadedError")]


def test_counting_tokens_and_listing_models_is_no_row(client: Any, provider: ProviderServer, rows: Rows) -> None:
    provider.on("/v1/messages/count_tokens", json_answer({"input_tokens": 9}))
    provider.answers = dict(sorted(provider.answers.items(), key=lambda answer: -len(answer[0])))
    provider.on("/v1/models", json_answer({"data": [], "has_more": False, "first_id": None, "last_id": None}))
    client.messages.count_tokens(model="claude-sonnet-5", messages=QUESTION)
    list(client.models.list())
    assert rows() == []


def test_the_results_of_a_batch_are_recorded_when_they_are_fetched(
    client: Any, provider: ProviderServer, rows: Rows
) -> None:
    batch = {
        "id": "b1",
        "type": "message_batch",
        "processing_status": "ended",
        "results_url": f"{provider.url}/v1/results/b1",
        "request_counts": {"processing": 0, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 0},
    }
    results = [
        *[
            {"custom_id": f"c{n}", "result": {"type": "succeeded", "message": MESSAGE | {"id": f"m{n}"}}}
            for n in (1, 2)
        ],
        {"custom_id": "c3", "result": {"type": "errored", "error": {"type": "error", "error": {"type": "api"}}}},
    ]
    lines = b"".join(json.dumps(line).encode() + b"\n" for line in results)
    provider.answers.clear()
    provider.on("/v1/messages/batches", json_answer(batch))
    provider.on("/v1/results", Answer([lines], kind="application/x-jsonl"))
    for _ in range(2):
        assert len(list(client.messages.batches.results("b1"))) == 3
    assert [(row["provider_response_id"], row["micro_usd"]) for row in rows()] == [("m1", 130), ("m2", 130)]


def test_batches_whose_requests_have_the_same_names_are_all_recorded(
    client: Any, provider: ProviderServer, rows: Rows
) -> None:
    provider.answers.clear()
    for batch in ("b1", "b2"):
        line = {"custom_id": "0", "result": {"type": "succeeded", "message": MESSAGE | {"id": f"msg_{batch}"}}}
        provider.on(f"/{batch}/results", Answer([json.dumps(line).encode()], kind="application/x-jsonl"))
        of_batch = {"id": batch, "processing_status": "ended", "results_url": f"{provider.url}/v1/{batch}/results"}
        provider.on(f"/v1/messages/batches/{batch}", json_answer(of_batch))
        assert list(client.messages.batches.results(batch))
    assert [row["provider_response_id"] for row in rows()] == ["msg_b1", "msg_b2"]


def test_the_tool_runner_makes_a_row_for_each_round(client: Any, provider: ProviderServer, rows: Rows) -> None:
    @anthropic.beta_tool
    def criteria(number: int) -> str:
        """Names criteria.

        Args:
            number: how many
        """
        return "thesis, evidence" * number

    use = {"type": "tool_use", "id": "t1", "name": "criteria", "input": {"number": 2}}
    wants = MESSAGE | {"id": "msg_tool", "content": [use], "stop_reason": "tool_use"}
    provider.on("/v1/messages", json_answer(wants), json_answer(MESSAGE))
    with tracking.attribution(**WHO):
        client.beta.messages.tool_runner(**ASKED, tools=[criteria]).until_done()
    assert [row["provider_response_id"] for row in rows()] == ["msg_tool", "msg_01"]


@pytest.mark.parametrize("streamed", [False, True])
def test_asynchronous_clients_record_as_well(
    tracker: CostTracker, provider: ProviderServer, rows: Rows, streamed: bool
) -> None:
    provider.on("/v1/messages", sse(MESSAGE_EVENTS, named=True, done=False) if streamed else json_answer(MESSAGE))

    async def use() -> None:
        async with tracker.watch(anthropic.AsyncAnthropic(base_url=provider.url, api_key="k")) as client:
            if not streamed:
                await client.messages.create(**ASKED)
                return
            async with client.messages.stream(**ASKED) as stream:
                assert (await stream.get_final_message()).usage.output_tokens == 12

    with tracking.attribution(**WHO):
        asyncio.run(use())
    (row,) = rows()
    assert (row["input_tokens"], row["output_tokens"], row["status"], row["user_id"]) == (*COUNTS, "ok", "teacher-1")


def aws_message(event: Any) -> bytes:
    """A message of an AWS event stream, as Bedrock's `invoke-with-response-stream` wraps an event of the model."""
    return aws_frame("chunk", json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode())


@pytest.mark.parametrize("streamed", [False, True])
def test_bedrock_sells_what_its_client_is_asked_for(
    tracker: CostTracker, provider: ProviderServer, rows: Rows, streamed: bool
) -> None:
    pytest.importorskip("botocore")
    model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
    events = [aws_message(event) for event in MESSAGE_EVENTS]
    provider.on("/invoke-with-response-stream", Answer(events, kind="application/vnd.amazon.eventstream"))
    provider.on("/invoke", json_answer(MESSAGE))
    client = anthropic.AnthropicBedrock(
        base_url=provider.url, aws_access_key="a", aws_secret_key="s", aws_region="us-east-1", max_retries=0
    )
    with client, tracking.attribution(**WHO):
        answer = tracker.watch(client).messages.create(**ASKED | {"model": model}, stream=streamed)
        assert not streamed or len(list(answer)) == len(MESSAGE_EVENTS)
    (row,) = rows()
    assert (row["provider"], row["model"], row["input_tokens"], row["output_tokens"]) == ("aws", model, *COUNTS)
    assert (row["status"], row["pricing_status"] == "unpriced") == ("ok", False)


def test_vertex_sells_what_its_client_is_asked_for(tracker: CostTracker, provider: ProviderServer, rows: Rows) -> None:
    pytest.importorskip("google.auth")
    provider.on(":rawPredict", json_answer(MESSAGE))
    client = anthropic.AnthropicVertex(
        base_url=provider.url, region="us-east5", project_id="p", access_token="t", max_retries=0
    )
    with client, tracking.attribution(**WHO):
        tracker.watch(client).messages.create(**ASKED | {"model": "claude-sonnet-5"})
    (row,) = rows()
    assert (row["provider"], row["input_tokens"], row["output_tokens"], row["status"]) == ("google", *COUNTS, "ok")
    assert row["prompt"] == PROMPT
