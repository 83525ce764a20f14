"""What a watched client costs over an unwatched one, both asking the same server on this machine in turns."""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.timing import table
from tracking import CostTracker, attribution

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tracking" / "capture"))
from captured_answers import MESSAGE, MESSAGE_EVENTS, MESSAGES, chat, chat_chunks, sse
from provider_server import Answer, json_answer, provider_server

CALLS = 600
STREAMS = 40
CHUNKS = 400
WHO: dict[str, Any] = {"user": "u", "trackable": ("Assignment", 1), "request_type": "generate_rubric"}

Call = Callable[[Any], object]


def run() -> None:
    rows: list[tuple[str, ...]] = []
    with _server() as url, tempfile.TemporaryDirectory() as home, CostTracker(home) as tracker, attribution(**WHO):
        for name, made, call, stream in (_openai(url), _anthropic(url)):
            unwatched, watched = made(), tracker.watch(made())
            rows.append((f"{name}: a call", *_told(_in_turns(CALLS, call, unwatched, watched))))
            per_chunk = [each / CHUNKS for each in _in_turns(STREAMS, stream, unwatched, watched)]
            rows.append((f"{name}: a chunk of {CHUNKS}", *_told(per_chunk)))
    head = ("unwatched µs", "watched µs", "over it µs", "of them on the processor")
    table("watched over unwatched, medians", ("", *head), rows)


def _openai(url: str) -> tuple[str, Callable[[], Any], Call, Call]:
    import openai

    def call(client: Any) -> object:
        return client.chat.completions.create(model="gpt-4o", messages=MESSAGES)

    def stream(client: Any) -> object:
        chunks = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True, extra_query={"s": 1})
        return [0 for _ in chunks]

    return "openai", lambda: openai.OpenAI(base_url=url, api_key="k"), call, stream


def _anthropic(url: str) -> tuple[str, Callable[[], Any], Call, Call]:
    import anthropic

    asked: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": MESSAGES[1:]}

    def call(client: Any) -> object:
        return client.messages.create(**asked)

    def stream(client: Any) -> object:
        return [0 for _ in client.messages.create(**asked, stream=True, extra_query={"s": 1})]

    return "anthropic", lambda: anthropic.Anthropic(base_url=url, api_key="k"), call, stream


@contextmanager
def _server() -> Generator[str, None, None]:
    """The URL of a server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_serve, args=(its,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Any) -> None:
    text, *_, finish, usage = chat_chunks()
    start, block, delta, *_, stop, last, end = MESSAGE_EVENTS
    with provider_server() as server:
        server.on("/chat/completions?s=1", _at_once(sse([*[text] * CHUNKS, finish, usage])))
        server.on("/chat/completions", json_answer(chat()))
        events = [start, block, *[delta] * CHUNKS, stop, last, end]
        server.on("/v1/messages?s=1", _at_once(sse(events, named=True, done=False)))
        server.on("/v1/messages", json_answer(MESSAGE))
        pipe.send(server.url)
        pipe.recv()


def _at_once(answer: Answer) -> Answer:
    answer.pieces = [b"".join(answer.pieces)]
    return answer


class Seconds(float):
    """Of the clock; `processor` is how many of them this thread worked."""

    processor: float

    def __truediv__(self, number: float) -> "Seconds":
        return seconds(float(self) / number, self.processor / number)


def seconds(clock: float, processor: float) -> Seconds:
    made = Seconds(clock)
    made.processor = processor
    return made


def _in_turns(rounds: int, call: Call, *clients: Any) -> list[Seconds]:
    """The median of each client, which take turns."""
    timings: list[list[tuple[float, float]]] = [[] for _ in clients]
    for number in range(rounds + 10):
        for place, client in enumerate(clients):
            started, worked = time.perf_counter(), time.thread_time()
            call(client)
            if number >= 10:
                timings[place].append((time.perf_counter() - started, time.thread_time() - worked))
    return [seconds(*(median(each) for each in zip(*timing, strict=True))) for timing in timings]


def _told(measured: list[Seconds]) -> tuple[str, ...]:
    unwatched, watched = measured
    over, worked = watched - unwatched, watched.processor - unwatched.processor
    return tuple(f"{each * 1e6:,.1f}" for each in (float(unwatched), float(watched), over, worked))
