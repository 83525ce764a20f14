"""What holds for captured calls of every kind: whose they are, never in the way, nothing lost unsaid."""

import asyncio
import errno
import gc
import gzip
import json
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from captured_answers import MESSAGES, chat, chat_chunks, sse
from hypothesis import given
from hypothesis import strategies as st
from provider_server import Answer, ProviderServer, json_answer

import tracking
from tracking import ArgumentError, CostTracker
from tracking.capture import bodies
from tracking.capture.asked import asked
from tracking.capture.begun import Begun
from tracking.capture.bodies import reader_for
from tracking.capture.told_twice import ToldTwice
from tracking.capture.watch import unwatch
from tracking.rows.prompt import WITHHELD

openai = pytest.importorskip("openai")

Rows = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def client(provider: ProviderServer) -> Any:
    provider.on("/chat/completions", json_answer(chat()))
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k", max_retries=0) as client:
        yield client


def ask(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **more)


def test_a_call_of_nobody_is_recorded_as_such_and_counted(tracker: CostTracker, client: Any, rows: Rows) -> None:
    tracker.watch(client)
    ask(client)
    with tracking.attribution(user="u1", trackable=("Assignment", 1)):
        ask(client)
    with tracking.attribution(user="u1", trackable=("Assignment", 1), request_type="generate_rubric", tenant="school"):
        ask(client)
    told = [(row["user_id"], row["trackable_type"], row["trackable_id"], row["request_type"]) for row in rows()]
    assert told == [
        ("unattributed", "Unattributed", "-", "unattributed"),
        ("u1", "Assignment", "1", "unattributed"),
        ("u1", "Assignment", "1", "generate_rubric"),
    ]
    assert rows()[2]["tenant"] == "school"
    assert tracker.captured.unattributed == 2


def test_a_call_of_nobody_is_refused_and_kept_where_that_is_wanted(
    home: Path, client: Any, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    with CostTracker(home, unattributed="refuse") as strict:
        strict.watch(client)
        assert ask(client).choices
        (file,) = (home / "quarantine").iterdir()
        (refused,) = map(json.loads, file.read_text().splitlines())
        assert refused["reason"] == "trackable is missing or blank"
        assert "Four criteria" not in file.read_text()
        assert strict.errors == 1
    assert "trackable is missing" in caplog.text
    assert rows() == []


def test_what_cannot_be_priced_or_read_breaks_no_call(
    tracker: CostTracker, client: Any, provider: ProviderServer, rows: Rows, home: Path
) -> None:
    tracker.watch(client)
    contradictory = chat(usage={"prompt_tokens": -1, "completion_tokens": 1, "total_tokens": 0})
    answers = [chat(model="no-such-model"), chat(usage=None), contradictory]
    provider.on("/chat/completions", *map(json_answer, answers))
    for answer in answers:
        assert ask(client).id == answer["id"]
    assert rows() == []
    kept = [line for file in (home / "quarantine").iterdir() for line in file.read_text().splitlines()]
    assert [json.loads(line)["error"] for line in kept] == ["UnknownModelError", "ResponseError", "UsageError"]
    assert tracker.errors == 3


def test_our_own_failure_breaks_no_call_and_is_told_once(
    tracker: CostTracker, client: Any, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fails(*_: object) -> None:
        raise KeyError(MESSAGES[1]["content"])

    tracker.watch(client)
    monkeypatch.setattr("tracking.capture.call.asked", fails)
    monkeypatch.setattr(bodies, "_data_of_block", fails)
    with caplog.at_level(logging.WARNING, "llm_cost_ledger"):
        assert ask(client).id == ask(client).id
        provider.on("/chat/completions", sse(chat_chunks()))
        assert len(list(ask(client, stream=True))) == 6
    assert tracker.captured.unread >= 3
    assert caplog.text.count("POST") == 1
    assert "criteria" not in caplog.text


def test_a_stream_collected_while_calls_are_compared_is_recorded(
    tracker: CostTracker, client: Any, provider: ProviderServer, rows: Rows
) -> None:
    """A finalizer runs in whichever thread, wherever that happens to be."""
    tracker.watch(client)
    told_twice = tracker.captured._told_twice = ToldTwice()
    provider.on("/chat/completions", sse(chat_chunks()))
    streams = [ask(client, stream=True)]
    next(streams[0])

    def collect() -> None:
        with told_twice._locks.own():
            streams.clear()
            gc.collect()

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert len(rows()) == 1


def test_a_forked_child_waits_for_no_thread_of_its_parent() -> None:
    begun = Begun()
    with begun._locks.own():
        pid = os.fork()
        if pid == 0:
            thread = threading.Thread(target=lambda: begun.put("1", "call", 0), daemon=True)
            thread.start()
            thread.join(10)
            os._exit(0 if begun.take("1") == "call" else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_what_waits_to_be_fetched_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracking.capture.begun.MOST_BYTES", 100)
    begun = Begun()
    for number in range(5):
        begun.put(f"r{number}", number, 40)
    assert [begun.take(f"r{number}") for number in range(5)] == [None, None, None, 3, 4]
    assert begun.take("r4") is Begun.TAKEN


@pytest.mark.parametrize("error", [GeneratorExit, KeyboardInterrupt, asyncio.CancelledError, ZeroDivisionError])
def test_what_the_application_is_handling_when_a_stream_ends_keeps_no_row_away(
    tracker: CostTracker, provider: ProviderServer, rows: Rows, error: type[BaseException]
) -> None:
    """Who sells at an address is looked up once, and that it is nobody known was taken for the exception around it."""
    provider.on("/chat/completions", sse(chat_chunks(usage=False)))
    client = tracker.watch(openai.OpenAI(base_url=f"{provider.url}/amid/{error.__name__}", api_key="k"))

    def texts() -> Iterator[Any]:
        with ask(client, stream=True) as stream:
            yield from stream

    running: Any = texts()
    next(running)
    if error is GeneratorExit:
        running.close()
    else:
        with pytest.raises(error):
            running.throw(error())
    assert len(rows()) == 1


def test_an_interrupt_goes_through(tracker: CostTracker, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    tracker.watch(client)
    monkeypatch.setattr("tracking.capture.call.asked", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask(client)


@pytest.fixture
def full_disk(tracker: CostTracker, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Fills the disk under the tracker's journal, or makes room."""
    write = os.write
    full = [True]

    def refuse(descriptor: int, data: Any) -> int:
        if full[0] and stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr("os.write", refuse)
    return lambda is_full: full.__setitem__(0, is_full)


def test_rows_the_disk_refuses_are_written_when_it_takes_them(
    tracker: CostTracker, client: Any, provider: ProviderServer, rows: Rows, full_disk: Callable[[bool], None]
) -> None:
    tracker.watch(client)
    provider.on("/chat/completions", *[json_answer(chat(f"c{number}")) for number in range(4)])
    for _ in range(3):
        assert ask(client).choices
    assert (tracker.captured.waiting, tracker.lost) == (3, 0)
    full_disk(False)
    tracker.captured._next_try = 0.0
    ask(client)
    assert tracker.captured.waiting == 0
    assert sorted(row["provider_response_id"] for row in rows()) == ["c0", "c1", "c2", "c3"]


def test_rows_that_were_never_written_are_counted_as_lost(
    tracker: CostTracker, client: Any, full_disk: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    tracker.watch(client)
    ask(client)
    ask(client)
    tracker.close()
    assert (tracker.captured.waiting, tracker.lost) == (0, 2)
    assert caplog.text.count("kept in nowhere") == 2


def test_memory_for_what_waits_is_bounded(
    tracker: CostTracker, client: Any, full_disk: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.capture.recorder.MOST_HELD_BYTES", 6000)
    tracker.watch(client)
    for _ in range(5):
        ask(client)
    assert (tracker.captured.waiting, tracker.lost) == (2, 3)


@pytest.mark.parametrize("thing", [object(), "openai", None, openai.OpenAI, json])
def test_what_is_no_client_is_refused_with_the_kinds_that_are_known(tracker: CostTracker, thing: object) -> None:
    with pytest.raises(ArgumentError, match=r"^client is a .*openai, anthropic"):
        tracker.watch(thing)


def test_a_client_is_as_it_was_when_it_is_no_longer_watched(
    tracker: CostTracker, client: Any, provider: ProviderServer, rows: Rows
) -> None:
    before, transport = dict(vars(client)), dict(vars(client._client))
    assert tracker.watch(client) is client
    unwatch(client)
    assert (vars(client), vars(client._client)) == (before, transport)
    ask(client)
    assert rows() == []


@pytest.mark.parametrize(
    ("path", "body", "model", "prompt", "is_paid"),
    [
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user"}]}, "m", [{"role": "user"}], True),
        ("/v1/responses", {"model": "m", "input": "hi"}, "m", "hi", True),
        ("/v1/responses", {"model": "m", "input": "hi", "instructions": "be"}, "m", "system+hi", True),
        ("/v1/embeddings", {"model": "m", "input": ""}, "m", WITHHELD, True),
        ("/openai/deployments/d/embeddings", {"input": "hi"}, "d", "hi", True),
        ("/model/us.anthropic.c-v1%3A0/invoke", {"prompt": "hi"}, "us.anthropic.c-v1:0", "hi", True),
        ("/model/us.anthropic.c-v1:0/converse", {"messages": []}, "us.anthropic.c-v1:0", WITHHELD, True),
        ("/v1beta/models/gemini-x:generateContent", {"contents": "hi"}, "gemini-x", "hi", True),
        ("/v1beta/models/gemini-x:countTokens", {"contents": "hi"}, "gemini-x", "hi", False),
        ("/v1/messages/count_tokens", {"model": "m"}, "m", WITHHELD, False),
        ("/model/us.anthropic.c-v1:0/count-tokens", {"input": {}}, "us.anthropic.c-v1:0", WITHHELD, False),
        ("/models/count-tokens:rawPredict", {"model": "claude-x", "messages": []}, "claude-x", WITHHELD, False),
        ("/publishers/google/models/gemini-x:computeTokens", {"contents": "hi"}, "gemini-x", "hi", False),
        ("gate.example/files-of-mine/v1/embeddings", {"model": "m", "input": "hi"}, "m", "hi", True),
        ("/v1/files", None, None, WITHHELD, False),
        ("/v1/chat/completions", b"not json", None, WITHHELD, False),
        ("/v1/chat/completions", b'{"broken', None, WITHHELD, False),
        ("/v1/chat/completions", b"[1]", None, WITHHELD, False),
    ],
)
def test_what_was_asked_is_read_of_the_request(path: str, body: Any, model: Any, prompt: Any, is_paid: bool) -> None:
    sent = json.dumps(body).encode() if isinstance(body, dict) else body
    if prompt == "system+hi":
        prompt = [{"role": "system", "content": "be"}, {"role": "user", "content": "hi"}]
    assert asked("POST", path, sent) == (model, prompt, is_paid)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_an_answer_too_long_to_be_kept_reaches_the_application_whole(
    tracker: CostTracker, client: Any, provider: ProviderServer, rows: Rows, monkeypatch: Any, encoding: str
) -> None:
    tracker.watch(client)
    monkeypatch.setattr("tracking.capture.passing.MOST_BYTES", 100)
    monkeypatch.setattr("tracking.capture.bodies.MOST_BYTES", 100)
    lines = b"\n".join(b'{"custom_id": "%d"}' % number for number in range(1000))
    body = gzip.compress(lines) if encoding == "gzip" else lines
    provider.on("/files", Answer([body], kind="application/octet-stream", headers={"content-encoding": encoding}))
    with client.files.with_streaming_response.content("f") as response:
        assert response.read() == lines
    assert (rows(), tracker.captured.unread) == ([], 1)


@given(st.data())
def test_a_stream_reads_the_same_however_its_bytes_are_cut(data: st.DataObject) -> None:
    newline = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    body = b"".join(sse(chat_chunks()).pieces).replace(b"\n", newline)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    reader = reader_for("text/event-stream; charset=utf-8")
    assert reader is not None
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        reader.feed(body[start:end])
    reader.end()
    (answer,) = reader.answers(None, None)
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.status) == (70, 12, "ok")
