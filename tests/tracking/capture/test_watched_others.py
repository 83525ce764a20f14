"""`tracker.watch()` on the clients of Groq, Mistral, Cohere, Google, Bedrock and Ollama, each the real package."""

import asyncio
import gc
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from captured_answers import COUNTS, GEMINI, MESSAGE, aws_frame, chat, chat_chunks, sse
from provider_server import Answer, ProviderServer, json_answer

import tracking
from tracking import ArgumentError, CostTracker

Rows = Callable[[], list[dict[str, Any]]]
WHO: dict[str, Any] = {"user": "teacher-1", "trackable": ("Assignment", 42), "request_type": "generate_rubric"}
QUESTION = [{"role": "user", "content": "Four criteria?"}]
COHERE_USAGE = {
    "billed_units": {"input_tokens": 70, "output_tokens": 12},
    "tokens": {"input_tokens": 70, "output_tokens": 12},
}
COHERE = {
    "id": "c1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Four"}]},
    "usage": COHERE_USAGE,
}
COHERE_EVENTS = [
    {"type": "message-start", "id": "c2", "delta": {"message": {"role": "assistant", "content": []}}},
    {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Four criteria"}}}},
    {"type": "content-end", "index": 0},
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": COHERE_USAGE}},
]
OLLAMA = {"model": "llama3.2", "created_at": "2026-11-01T00:00:00Z", "done": False}
OLLAMA_END = OLLAMA | {"done": True, "done_reason": "stop", "prompt_eval_count": 70, "eval_count": 12}
CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Four"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 70, "outputTokens": 12, "totalTokens": 82},
    "metrics": {"latencyMs": 9},
}
CONVERSE_EVENTS = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Four criteria"}}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": CONVERSE["usage"], "metrics": {"latencyMs": 9}}),
]


@dataclass
class Sdk:
    """One package: how its client is made, a call and a stream of each colour, and what the server answers."""

    make: Callable[[str], Any]
    call: Callable[[Any], Any]
    stream: Callable[[Any], Any]
    answer: Any
    streamed: Callable[[], Answer]
    path: str
    row: dict[str, Any]
    make_async: Callable[[str], Any] | None = None
    call_async: Callable[[Any], Any] | None = None
    stream_async: Callable[[Any], Any] | None = None
    streamed_path: str = ""


def groq() -> Sdk:
    module = pytest.importorskip("groq")
    asked: dict[str, Any] = {"model": "llama-3.3-70b-versatile", "messages": QUESTION}
    return Sdk(
        make=lambda url: module.Groq(base_url=url, api_key="k", max_retries=0),
        make_async=lambda url: module.AsyncGroq(base_url=url, api_key="k", max_retries=0),
        call=lambda client: client.chat.completions.create(**asked),
        stream=lambda client: client.chat.completions.create(**asked, stream=True),
        answer=chat(model="llama-3.3-70b-versatile"),
        streamed=lambda: sse(chat_chunks(model="llama-3.3-70b-versatile")),
        path="/chat/completions",
        row={"provider": "groq", "model": "llama-3.3-70b-versatile"},
    )


def mistral() -> Sdk:
    pytest.importorskip("mistralai")
    from mistralai.client import Mistral

    asked: dict[str, Any] = {"model": "mistral-large-latest", "messages": QUESTION}
    return Sdk(
        make=lambda url: Mistral(server_url=url, api_key="k"),
        call=lambda client: client.chat.complete(**asked),
        stream=lambda client: client.chat.stream(**asked),
        call_async=lambda client: client.chat.complete_async(**asked),
        stream_async=lambda client: client.chat.stream_async(**asked),
        answer=chat(model="mistral-large-latest"),
        streamed=lambda: sse(chat_chunks(model="mistral-large-latest")),
        path="/chat/completions",
        row={"provider": "mistral", "model": "mistral-large-latest"},
    )


def cohere() -> Sdk:
    module = pytest.importorskip("cohere")
    asked: dict[str, Any] = {"model": "command-r-08-2024", "messages": QUESTION}
    return Sdk(
        make=lambda url: module.ClientV2(base_url=url, api_key="k"),
        make_async=lambda url: module.AsyncClientV2(base_url=url, api_key="k"),
        call=lambda client: client.chat(**asked),
        stream=lambda client: client.chat_stream(**asked),
        answer=COHERE,
        streamed=lambda: sse(COHERE_EVENTS, named=True, done=False),
        path="/v2/chat",
        row={"provider": "cohere", "model": "command-r-08-2024"},
    )


def genai() -> Sdk:
    pytest.importorskip("google.genai")
    from google.genai import Client

    asked: dict[str, Any] = {"model": "gemini-2.5-flash", "contents": "Four criteria?"}
    return Sdk(
        make=lambda url: Client(api_key="k", http_options={"base_url": url}),
        call=lambda client: client.models.generate_content(**asked),
        stream=lambda client: client.models.generate_content_stream(**asked),
        call_async=lambda client: client.aio.models.generate_content(**asked),
        stream_async=lambda client: client.aio.models.generate_content_stream(**asked),
        answer=GEMINI,
        streamed=lambda: sse([GEMINI | {"usageMetadata": {"promptTokenCount": 70}}, GEMINI], done=False),
        path=":generateContent",
        streamed_path=":streamGenerateContent",
        row={"provider": "google", "model": "gemini-2.5-flash"},
    )


def ollama() -> Sdk:
    module = pytest.importorskip("ollama")
    asked: dict[str, Any] = {"model": "llama3.2", "messages": QUESTION}
    lines = [
        OLLAMA | {"message": {"role": "assistant", "content": "Four "}},
        OLLAMA_END | {"message": {"role": "assistant", "content": ""}},
    ]
    pieces = [json.dumps(line).encode() + b"\n" for line in lines]
    return Sdk(
        make=lambda url: module.Client(host=url),
        make_async=lambda url: module.AsyncClient(host=url),
        call=lambda client: client.chat(**asked),
        stream=lambda client: client.chat(**asked, stream=True),
        answer=OLLAMA_END | {"message": {"role": "assistant", "content": "Four"}},
        streamed=lambda: Answer(pieces, kind="application/x-ndjson"),
        path="/api/chat",
        row={"provider": "ollama", "model": "llama3.2"},
    )


def bedrock() -> Sdk:
    boto3 = pytest.importorskip("boto3")
    from botocore.config import Config

    asked = {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": "Four criteria?"}]}]}
    frames = [aws_frame(kind, json.dumps(event).encode()) for kind, event in CONVERSE_EVENTS]
    return Sdk(
        make=lambda url: boto3.client(
            "bedrock-runtime",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="s",
            config=Config(retries={"total_max_attempts": 1}),
        ),
        call=lambda client: client.converse(**asked),
        stream=lambda client: client.converse_stream(**asked)["stream"],
        answer=CONVERSE,
        streamed=lambda: Answer(frames, kind="application/vnd.amazon.eventstream"),
        path="/converse",
        streamed_path="/converse-stream",
        row={"provider": "aws", "model": CLAUDE},
    )


@pytest.fixture
def tracker(home: Any) -> Any:
    """Ollama's models have no price."""
    with CostTracker(home, on_unknown_model="record") as tracker:
        yield tracker


@pytest.fixture(params=[groq, mistral, cohere, genai, ollama, bedrock], ids=lambda made: made.__name__)
def sdk(request: pytest.FixtureRequest, provider: ProviderServer) -> Sdk:
    sdk: Sdk = request.param()
    if sdk.streamed_path:
        provider.on(sdk.streamed_path, sdk.streamed())
    provider.on(sdk.path, json_answer(sdk.answer))
    return sdk


def check(row: dict[str, Any], sdk: Sdk) -> None:
    assert {name: row[name] for name in sdk.row} == sdk.row
    assert (row["input_tokens"], row["output_tokens"], row["status"]) == (*COUNTS, "ok")
    assert (row["user_id"], row["request_type"]) == ("teacher-1", "generate_rubric")
    assert "Four criteria?" in row["prompt"]
    assert row["latency_ms"] is not None


def test_a_call_is_one_row_and_gives_what_it_gives_unwatched(
    tracker: CostTracker, provider: ProviderServer, sdk: Sdk, rows: Rows
) -> None:
    expected = sdk.call(sdk.make(provider.url))
    client = sdk.make(provider.url)
    kind = type(client)
    assert tracker.watch(client) is client
    assert type(client) is kind
    with tracking.attribution(**WHO):
        result = sdk.call(client)
    assert type(result) is type(expected)
    assert _without_headers(result) == _without_headers(expected)
    (row,) = rows()
    check(row, sdk)


def _without_headers(result: Any) -> Any:
    """What was answered, without when the server said it."""
    if isinstance(result, dict):
        return {name: value for name, value in result.items() if name != "ResponseMetadata"}
    return {name: value for name, value in vars(result).items() if "http" not in name}


def test_a_stream_is_one_row(tracker: CostTracker, provider: ProviderServer, sdk: Sdk, rows: Rows) -> None:
    if not sdk.streamed_path:
        provider.on(sdk.path, sdk.streamed())
    unwatched = sdk.make(provider.url)
    expected = len(list(sdk.stream(unwatched)))
    client = tracker.watch(sdk.make(provider.url))
    with tracking.attribution(**WHO):
        assert len(list(sdk.stream(client))) == expected
    (row,) = rows()
    check(row, sdk)
    assert row["stream"] is True
    assert row["ttft_ms"] is not None


def test_a_stream_that_is_left_is_one_row(tracker: CostTracker, provider: ProviderServer, sdk: Sdk, rows: Rows) -> None:
    if not sdk.streamed_path:
        provider.on(sdk.path, sdk.streamed())
    client = tracker.watch(sdk.make(provider.url))
    with tracking.attribution(**WHO):
        stream = sdk.stream(client)
        iterator = iter(stream)
        next(iterator)
        for each in (iterator, stream):
            if hasattr(each, "close"):
                each.close()
        del iterator, stream
    (row,) = rows()
    assert (row["provider"], row["model"], row["user_id"]) == (*sdk.row.values(), "teacher-1")
    assert row["status"] in ("partial", "ok")


@pytest.mark.parametrize("streamed", [False, True])
def test_an_asynchronous_call_is_one_row(
    tracker: CostTracker, provider: ProviderServer, sdk: Sdk, rows: Rows, streamed: bool
) -> None:
    if sdk.make_async is None and sdk.call_async is None:
        pytest.skip("has no asynchronous client")
    if streamed and not sdk.streamed_path:
        provider.on(sdk.path, sdk.streamed())

    async def use() -> None:
        client = tracker.watch((sdk.make_async or sdk.make)(provider.url))
        made = ((sdk.stream_async or sdk.stream) if streamed else (sdk.call_async or sdk.call))(client)
        result = await made if hasattr(made, "__await__") else made
        if streamed:
            assert len([chunk async for chunk in result]) >= 2

    with tracking.attribution(**WHO):
        asyncio.run(use())
    (row,) = rows()
    check(row, sdk)


def test_a_call_that_fails_is_one_row_without_a_cost(
    tracker: CostTracker, provider: ProviderServer, sdk: Sdk, rows: Rows
) -> None:
    provider.answers.clear()
    provider.on("/", json_answer({"message": "no such thing", "error": {"message": "no", "code": 404}}, 404))
    client = tracker.watch(sdk.make(provider.url))
    with tracking.attribution(**WHO), pytest.raises(Exception, match=r"no|Not Found"):
        sdk.call(client)
    (row,) = rows()
    assert (row["status"], row["cost_usd"], row["user_id"]) == ("error", None, "teacher-1")
    assert (row["provider"], row["model"]) == tuple(sdk.row.values())
    assert row["error_type"]


EMBEDDED = {"object": "list", "id": "e", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}


@pytest.mark.parametrize(
    ("made", "call", "answer", "counted"),
    [
        (
            cohere,
            lambda client: client.embed(model="embed-v4.0", input_type="search_query", texts=["x"]),
            {"id": "e", "embeddings": {"float": [[0.5]]}, "meta": {"billed_units": {"input_tokens": 70}}},
            ("embed-v4.0", 70, '["x"]'),
        ),
        (
            cohere,
            lambda client: client.rerank(model="rerank-v3.5", query="x", documents=["a"]),
            {"id": "r", "results": [], "meta": {"billed_units": {"search_units": 1}}},
            ("rerank-v3.5", None, "x"),
        ),
        (
            mistral,
            lambda client: client.embeddings.create(model="mistral-embed", inputs=["x"]),
            EMBEDDED | {"model": "mistral-embed", "usage": {"prompt_tokens": 70, "total_tokens": 70}},
            ("mistral-embed", 70, '["x"]'),
        ),
        (
            ollama,
            lambda client: client.generate(model="llama3.2", prompt="x"),
            OLLAMA_END | {"response": "Four"},
            ("llama3.2", 70, "x"),
        ),
        (
            ollama,
            lambda client: client.embed(model="nomic-embed-text", input="x"),
            {"model": "nomic-embed-text", "embeddings": [[0.5]], "prompt_eval_count": 70},
            ("nomic-embed-text", 70, "x"),
        ),
        (
            groq,
            lambda client: client.with_options(timeout=5).chat.completions.create(model="m", messages=QUESTION),
            chat(model="llama-3.3-70b-versatile"),
            ("llama-3.3-70b-versatile", 70, json.dumps(QUESTION, sort_keys=True)),
        ),
    ],
)
def test_other_methods_are_recorded_too(
    tracker: CostTracker,
    provider: ProviderServer,
    rows: Rows,
    made: Callable[[], Sdk],
    call: Callable[[Any], Any],
    answer: Any,
    counted: tuple[Any, ...],
) -> None:
    provider.on("/", json_answer(answer))
    call(tracker.watch(made().make(provider.url)))
    (row,) = rows()
    assert (row["model"], row["input_tokens"], row["prompt"]) == counted


def test_what_invoke_model_reads_is_recorded_when_it_was_read(
    tracker: CostTracker, provider: ProviderServer, rows: Rows
) -> None:
    client = tracker.watch(bedrock().make(provider.url))
    provider.on("/invoke", json_answer(MESSAGE))
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": QUESTION})
    with tracking.attribution(**WHO):
        for read in (
            lambda made: made.read(),
            lambda made: b"".join(made.iter_chunks(64)),
            b"".join,
        ):
            response = client.invoke_model(modelId=CLAUDE, body=body)
            assert json.loads(read(response["body"])) == MESSAGE
    assert [(row["provider"], row["model"], row["input_tokens"], row["prompt"]) for row in rows()] == [
        ("aws", CLAUDE, 70, json.dumps(QUESTION, sort_keys=True))
    ] * 3


@pytest.mark.parametrize("read", [0, 1])
def test_what_bedrock_answers_is_recorded_or_kept_though_nobody_reads_it(
    tracker: CostTracker, provider: ProviderServer, rows: Rows, home: Path, read: int
) -> None:
    client, sdk = tracker.watch(bedrock().make(provider.url)), bedrock()
    provider.on("/converse-stream", sdk.streamed())
    provider.on("/invoke", json_answer(MESSAGE))
    stream = sdk.stream(client)
    for _ in zip(range(read), stream, strict=False):
        pass
    response = client.invoke_model(modelId=CLAUDE, body=json.dumps({"messages": QUESTION}))
    del stream, response
    gc.collect()
    kept = [line for file in (home / "quarantine").iterdir() for line in file.read_text().splitlines()]
    assert len(rows()) + len(kept) == 2
    assert [row["status"] for row in rows()] == ["partial"] * read


def test_an_error_in_the_middle_of_bedrocks_stream_is_raised_and_told_of(
    tracker: CostTracker, provider: ProviderServer, rows: Rows
) -> None:
    botocore = pytest.importorskip("botocore.exceptions")
    frames = [aws_frame(kind, json.dumps(event).encode()) for kind, event in CONVERSE_EVENTS[:2]]
    slow = aws_frame("throttlingException", b'{"message": "slow"}', "exception")
    sdk = bedrock()
    provider.on("/converse-stream", Answer([*frames, slow], kind="application/vnd.amazon.eventstream"))
    stream = sdk.stream(tracker.watch(sdk.make(provider.url)))
    with pytest.raises(botocore.EventStreamError):
        list(stream)
    assert [(row["status"], row["error_type"]) for row in rows()] == [("partial", "EventStreamError")]


def test_botocores_retries_are_one_call(tracker: CostTracker, provider: ProviderServer, rows: Rows) -> None:
    boto3 = pytest.importorskip("boto3")
    from botocore.config import Config

    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=provider.url,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
    )
    provider.on("/converse", json_answer({"message": "slow down"}, 500), json_answer(CONVERSE))
    tracker.watch(client).converse(modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": "hi"}]}])
    assert [row["status"] for row in rows()] == ["ok"]
    assert len(provider.asked) == 2


def test_another_service_of_aws_is_refused(tracker: CostTracker) -> None:
    boto3 = pytest.importorskip("boto3")
    client = boto3.client("sqs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="s")
    with pytest.raises(ArgumentError, match="AWS's sqs"):
        tracker.watch(client)


def test_mistrals_clients_that_are_not_watched_stay_so(
    tracker: CostTracker, provider: ProviderServer, rows: Rows
) -> None:
    sdk = mistral()
    provider.on(sdk.path, json_answer(sdk.answer))
    tracker.watch(sdk.make(provider.url))
    sdk.call(sdk.make(provider.url))
    assert rows() == []
