"""`tracker.watch()` on OpenAI's own clients: every method one row a call, results and streams as they were."""

import asyncio
import base64
import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from captured_answers import COUNTS, EMBEDDINGS, MESSAGES, RESPONSE, chat, chat_chunks, response_events, sse
from provider_server import Answer, ProviderServer, json_answer
from pydantic import BaseModel

import tracking
from tracking import CostTracker

openai = pytest.importorskip("openai")

Rows = Callable[[], list[dict[str, Any]]]
WHO: dict[str, Any] = {"user": "teacher-1", "trackable": ("Assignment", 42), "request_type": "generate_rubric"}
PROMPT = json.dumps(MESSAGES, sort_keys=True)


class Criteria(BaseModel):
    number: int = 4


@pytest.fixture
def client(tracker: CostTracker, provider: ProviderServer) -> Any:
    provider.on("/chat/completions", json_answer(chat()))
    provider.on("/responses", json_answer(RESPONSE))
    provider.on("/embeddings", json_answer(EMBEDDINGS))
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k", max_retries=2) as client:
        yield tracker.watch(client)


@pytest.fixture
def unhurried(tracker: CostTracker, provider: ProviderServer) -> Callable[[], Any]:
    """Makes a watched asynchronous client, in the loop that uses it."""
    provider.on("/chat/completions", json_answer(chat()))
    return lambda: tracker.watch(openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="k", max_retries=0))


def ask(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **more)


def parsed(client: Any) -> Any:
    return client.chat.completions.parse(model="gpt-4o", messages=MESSAGES, response_format=Criteria)


def raw(client: Any) -> Any:
    return client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES).parse()


def read_bit_by_bit(client: Any) -> Any:
    with client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=MESSAGES) as response:
        return b"".join(response.iter_bytes())


def parsed_response(client: Any) -> Any:
    return client.responses.parse(model="gpt-5-mini", input="Four criteria?", text_format=Criteria)


def anything_new(client: Any) -> Any:
    """A method that the SDK does not have yet."""
    return client.post("/chat/completions/of-tomorrow", body={"model": "gpt-4o", "messages": MESSAGES}, cast_to=object)


@pytest.mark.parametrize(
    "call",
    [
        ask,
        parsed,
        raw,
        read_bit_by_bit,
        lambda client: client.responses.create(model="gpt-5-mini", input="Four criteria?"),
        parsed_response,
        lambda client: ask(client.with_options(timeout=5)),
        lambda client: ask(client.copy().with_options(max_retries=0)),
        anything_new,
    ],
)
def test_every_method_is_one_row_and_gives_what_it_gives_unwatched(
    client: Any, provider: ProviderServer, rows: Rows, call: Callable[[Any], Any]
) -> None:
    provider.on("/chat/completions", json_answer(chat(content="{}")))
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k") as unwatched:
        expected = call(unwatched)
    assert type(client) is openai.OpenAI
    with tracking.attribution(**WHO):
        result = call(client)
    assert type(result) is type(expected)
    assert result == expected
    (row,) = rows()
    assert (row["input_tokens"], row["output_tokens"]) == COUNTS
    assert (row["provider"], row["status"], row["user_id"], row["trackable_id"]) == ("openai", "ok", "teacher-1", "42")
    assert row["prompt"] in (PROMPT, "Four criteria?")
    assert row["micro_usd"] > 0
    assert row["latency_ms"] is not None


def test_embeddings_and_pictures_and_speech_to_text_are_recorded(
    client: Any, provider: ProviderServer, rows: Rows
) -> None:
    picture = {
        "input_tokens": 70,
        "output_tokens": 12,
        "total_tokens": 82,
        "input_tokens_details": {"text_tokens": 70, "image_tokens": 0},
    }
    b64 = base64.b64encode(b"x" * 100).decode()
    provider.on("/images", json_answer({"created": 1763800000, "data": [{"b64_json": b64}], "usage": picture}))
    heard = {
        "type": "tokens",
        "input_tokens": 70,
        "output_tokens": 12,
        "total_tokens": 82,
        "input_token_details": {"audio_tokens": 70, "text_tokens": 0},
    }
    provider.on("/audio/transcriptions", json_answer({"text": "Four", "usage": heard}))
    with tracking.attribution(**WHO):
        client.embeddings.create(model="text-embedding-3-small", input=["Four criteria?"])
        client.images.generate(model="gpt-image-1", prompt="A rubric")
        client.images.edit(model="gpt-image-1", prompt="A rubric", image=("a.png", b"x", "image/png"))
        client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.mp3", b"x" * 10), prompt="spelling")
    embedded, *others = rows()
    assert (embedded["model"], embedded["input_tokens"], embedded["prompt"]) == (
        "text-embedding-3-small",
        70,
        '["Four criteria?"]',
    )
    assert [(row["model"], row["prompt"]) for row in others] == [
        ("gpt-image-1", "A rubric"),
        ("gpt-image-1", "A rubric"),
        ("gpt-4o-transcribe", "spelling"),
    ]
    assert {(row["input_tokens"], row["output_tokens"]) for row in others} == {COUNTS}


def test_what_costs_nothing_is_no_row(client: Any, provider: ProviderServer, rows: Rows) -> None:
    provider.on("/models", json_answer({"object": "list", "data": []}))
    provider.on("/moderations", json_answer({"id": "m", "model": "omni-moderation-latest", "results": []}))
    batch = {
        "id": "b",
        "object": "batch",
        "status": "validating",
        "endpoint": "/v1/chat/completions",
        "model": "gpt-4o",
    }
    provider.on("/batches", json_answer(batch))
    provider.on("/chat/completions/chatcmpl-1", json_answer(chat()))
    client.models.list()
    client.moderations.create(input="x", model="omni-moderation-latest")
    client.batches.create(completion_window="24h", endpoint="/v1/chat/completions", input_file_id="f")
    client.chat.completions.retrieve("chatcmpl-1")
    client.chat.completions.update("chatcmpl-1", metadata={"essay": "7"})
    assert rows() == []


@pytest.mark.parametrize("how", ["loop", "with", "helper", "raw", "responses", "gzip"])
def test_a_stream_is_one_row_with_its_time_to_the_first_token(
    client: Any, provider: ProviderServer, rows: Rows, how: str
) -> None:
    events = chat_chunks()
    provider.on("/chat/completions", sse(events))
    provider.on("/responses", sse(response_events()))
    options = {"stream_options": {"include_usage": True}, "stream": True}
    with tracking.attribution(**WHO):
        if how == "loop":
            chunks = list(ask(client, **options))
        elif how == "with":
            with ask(client, **options) as stream:
                chunks = list(stream)
        elif how == "raw":
            raw_create = client.chat.completions.with_raw_response.create
            chunks = list(raw_create(model="gpt-4o", messages=MESSAGES, **options).parse())
        elif how == "gzip":
            provider.on("/chat/completions", compressed(sse(events)))
            chunks = list(ask(client, **options))
        elif how == "helper":
            with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES) as stream:
                chunks = [event.chunk for event in stream if event.type == "chunk"]
                assert stream.get_final_completion().choices[0].message.content == "Four criteria for essays"
        else:
            events = list(response_events())
            with client.responses.stream(model="gpt-5-mini", input="Four criteria?") as stream:
                chunks = [event for event in stream if not event.type.endswith("done")]
    assert len(chunks) == len(events)
    (row,) = rows()
    assert (row["input_tokens"], row["output_tokens"], row["status"], row["stream"]) == (*COUNTS, "ok", True)
    assert 0 <= row["ttft_ms"] <= row["latency_ms"]
    assert row["user_id"] == "teacher-1"


def compressed(answer: Answer) -> Answer:
    import gzip

    return Answer([gzip.compress(b"".join(answer.pieces))], kind=answer.kind, headers={"content_encoding": "gzip"})


@pytest.mark.parametrize("how", ["break", "close", "forgotten", "raised", "broken"])
def test_a_stream_that_breaks_off_is_a_partial_row(client: Any, provider: ProviderServer, rows: Rows, how: str) -> None:
    provider.on("/chat/completions", sse(chat_chunks()[:3], done=False, broken=True))
    with tracking.attribution(**WHO):
        stream = ask(client, stream=True)
    if how == "broken":
        with pytest.raises(Exception, match="Connection error"):
            list(stream)
    elif how == "raised":
        with pytest.raises(ZeroDivisionError), stream:
            next(stream)
            raise ZeroDivisionError
    else:
        next(stream)
        if how == "close":
            stream.close()
    del stream
    gc.collect()
    (row,) = rows()
    assert (row["status"], row["user_id"]) == ("partial", "teacher-1")
    assert row["output_tokens"] >= 1
    assert row["input_tokens"] > 0, "worked out from the prompt"
    assert row["pricing_status"] == "estimated"


def test_the_sdks_own_retries_are_one_call(client: Any, provider: ProviderServer, rows: Rows) -> None:
    slow = json_answer({"error": {"message": "slow down"}}, 429, retry_after_ms="1")
    provider.on("/chat/completions", slow, json_answer({}, 500, retry_after_ms="1"), json_answer(chat()))
    ask(client)
    (row,) = rows()
    assert (row["status"], len(provider.asked)) == ("ok", 3)


def test_a_call_that_fails_for_good_is_one_row_without_a_cost(
    client: Any, provider: ProviderServer, rows: Rows
) -> None:
    provider.on("/chat/completions", json_answer({"error": {"message": "no"}}, 500, retry_after_ms="1"))
    with tracking.attribution(**WHO), pytest.raises(openai.InternalServerError):
        ask(client)
    (row,) = rows()
    assert (row["status"], row["error_type"], row["cost_usd"]) == ("error", "InternalServerError", None)
    assert (row["model"], row["provider"], len(provider.asked)) == ("gpt-4o", "openai", 3)


def test_what_was_never_sent_is_no_row(client: Any, rows: Rows) -> None:
    with pytest.raises(TypeError):
        client.chat.completions.create(model="gpt-4o")
    assert rows() == []


def test_tool_loops_are_a_row_for_each_round(client: Any, provider: ProviderServer, rows: Rows) -> None:
    asked = {"id": "call_1", "type": "function", "function": {"name": "criteria", "arguments": "{}"}}
    wants = chat("chatcmpl-tool", content="", message={"tool_calls": [asked]})
    provider.on("/chat/completions", json_answer(wants), json_answer(chat("chatcmpl-end")))
    messages: list[Any] = [*MESSAGES]
    with tracking.attribution(**WHO):
        while calls := client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.tool_calls:
            messages += [{"role": "tool", "tool_call_id": call.id, "content": "4"} for call in calls]
    assert [row["provider_response_id"] for row in rows()] == ["chatcmpl-tool", "chatcmpl-end"]


def test_a_response_made_in_the_background_is_recorded_once_when_it_is_fetched(
    client: Any, provider: ProviderServer, rows: Rows
) -> None:
    begun = RESPONSE | {"status": "queued", "output": [], "usage": None, "background": True}
    provider.on("/responses", json_answer(begun), json_answer(begun), json_answer(RESPONSE | {"background": True}))
    with tracking.attribution(**WHO):
        response = client.responses.create(model="gpt-5-mini", input="Four criteria?", background=True)
    assert rows() == []
    for _ in range(4):
        response = client.responses.retrieve(response.id)
    (row,) = rows()
    assert (row["user_id"], row["prompt"], row["input_tokens"]) == ("teacher-1", "Four criteria?", 70)


def test_a_response_that_is_cancelled_is_whose_it_was_when_it_began(
    client: Any, provider: ProviderServer, rows: Rows
) -> None:
    begun = RESPONSE | {"status": "queued", "output": [], "usage": None, "background": True}
    provider.on("/responses", json_answer(begun), json_answer(RESPONSE | {"background": True, "status": "cancelled"}))
    with tracking.attribution(**WHO):
        response = client.responses.create(model="gpt-5-mini", input="Four criteria?", background=True)
    client.responses.cancel(response.id)
    client.responses.retrieve(response.id)
    assert [(row["user_id"], row["prompt"]) for row in rows()] == [("teacher-1", "Four criteria?")]


def test_what_is_made_later_and_never_says_what_it_used_is_kept(
    client: Any, provider: ProviderServer, rows: Rows, home: Path
) -> None:
    video = {"id": "video_1", "object": "video", "created_at": 1763800000, "status": "queued", "model": "sora-2"}
    provider.on("/videos", json_answer(video))
    client.post("/videos", body={"model": "sora-2", "prompt": "A rubric"}, cast_to=object)
    (file,) = (home / "quarantine").iterdir()
    (kept,) = map(json.loads, file.read_text().splitlines())
    assert (kept["error"], rows()) == ("ResponseError", [])


def test_the_results_of_a_batch_are_recorded_when_they_are_fetched(
    client: Any, provider: ProviderServer, rows: Rows
) -> None:
    results = [
        {
            "id": f"br_{n}",
            "custom_id": str(n),
            "response": {"status_code": 200, "body": chat(f"chatcmpl-b{n}")},
            "error": None,
        }
        for n in range(2)
    ]
    failed = {"id": "br_9", "custom_id": "9", "response": None, "error": {"code": "expired"}}
    lines = "\n".join(map(json.dumps, [*results, failed])).encode()
    provider.on("/files/", Answer([lines], kind="application/octet-stream"))
    with tracking.attribution(**WHO):
        for _ in range(2):
            assert client.files.content("file-1").content == lines
    assert [(row["provider_response_id"], row["micro_usd"], row["prompt"]) for row in rows()] == [
        ("chatcmpl-b0", 148, None),
        ("chatcmpl-b1", 148, None),
    ]


@pytest.mark.parametrize("how", ["plain", "stream", "helper", "parse", "raw"])
def test_asynchronous_clients_record_as_well(
    unhurried: Callable[[], Any], provider: ProviderServer, rows: Rows, how: str
) -> None:
    async def use() -> None:
        async with unhurried() as client:
            completions = client.chat.completions
            if how == "plain":
                assert type(await ask(client)).__name__ == "ChatCompletion"
            elif how == "parse":
                await completions.parse(model="gpt-4o", messages=MESSAGES)
            elif how == "raw":
                (await completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)).parse()
            elif how == "stream":
                provider.on("/chat/completions", sse(chat_chunks()))
                async with await ask(client, stream=True) as stream:
                    assert len([chunk async for chunk in stream]) == 6
            else:
                provider.on("/chat/completions", sse(chat_chunks()))
                async with completions.stream(model="gpt-4o", messages=MESSAGES) as stream:
                    await stream.until_done()

    with tracking.attribution(**WHO):
        asyncio.run(use())
    (row,) = rows()
    assert (row["input_tokens"], row["output_tokens"], row["status"], row["user_id"]) == (*COUNTS, "ok", "teacher-1")


def test_tasks_have_each_their_own_attribution(unhurried: Callable[[], Any], rows: Rows) -> None:
    async def one(client: Any, number: int) -> None:
        with tracking.attribution(user=f"u{number}", trackable=("Assignment", number), request_type="generate_rubric"):
            await ask(client)

    async def use() -> None:
        async with unhurried() as client:
            await asyncio.gather(*(one(client, number) for number in range(8)))

    asyncio.run(use())
    assert sorted((row["user_id"], row["trackable_id"]) for row in rows()) == [(f"u{n}", str(n)) for n in range(8)]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancelled_task_leaves_a_row(
    unhurried: Callable[[], Any], provider: ProviderServer, rows: Rows, streamed: bool
) -> None:
    import threading

    held = threading.Event()
    answer = sse(chat_chunks()) if streamed else json_answer(chat())
    answer.pieces = [b" ", *answer.pieces] if not streamed else answer.pieces
    answer.between = lambda: held.wait(5)
    provider.on("/chat/completions", answer)

    async def use(came: asyncio.Event) -> None:
        async with unhurried() as client:
            if not streamed:
                came.set()
            result = await ask(client, stream=streamed)
            async for _ in result:
                came.set()

    async def cancel() -> None:
        came = asyncio.Event()
        task = asyncio.create_task(use(came))
        await came.wait()
        while not provider.asked:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with tracking.attribution(**WHO):
        try:
            asyncio.run(cancel())
        finally:
            held.set()
    (row,) = rows()
    assert (row["status"], row["error_type"]) == ("partial" if streamed else "error", "CancelledError")


def test_azure_sells_what_its_client_is_asked_for(tracker: CostTracker, provider: ProviderServer, rows: Rows) -> None:
    provider.on("/deployments/our-gpt/chat/completions", json_answer(chat()))
    client = openai.AzureOpenAI(azure_endpoint=provider.url, api_key="k", api_version="2024-10-21", max_retries=0)
    with client, tracking.attribution(**WHO):
        tracker.watch(client).chat.completions.create(model="our-gpt", messages=MESSAGES)
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="our-ada", input="x")
    answered, failed = rows()
    assert (answered["provider"], answered["model"]) == ("azure", "gpt-4o-2024-08-06")
    assert (failed["provider"], failed["model"], failed["status"]) == ("azure", "our-ada", "error")


def test_a_model_nobody_knows_is_its_hosts(provider: ProviderServer, rows: Rows, home: Any) -> None:
    provider.on("/chat/completions", json_answer(chat(model="school-7b")))
    with CostTracker(home, on_unknown_model="record") as tracker:
        client = tracker.watch(openai.OpenAI(base_url=provider.url, api_key="k"))
        client.chat.completions.create(model="school-7b", messages=MESSAGES)
        client.close()
    (row,) = rows()
    assert (row["provider"], row["model"], row["pricing_status"]) == ("127.0.0.1", "school-7b", "unpriced")


def test_clients_that_share_an_http_client_are_told_apart(
    tracker: CostTracker, client: Any, provider: ProviderServer, rows: Rows
) -> None:
    other = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k", http_client=client._client)
    ask(other)
    assert rows() == [], "the other one is not watched"
    tracker.watch(other)
    assert tracker.watch(client) is client
    ask(other)
    assert len(rows()) == 1
