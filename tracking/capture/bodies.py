"""Answers read from the bytes of their bodies while these pass through: of one piece, line by line, event by event."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Protocol, cast

from pydantic_core import from_json

from tracking.answers.response import LLMResponse
from tracking.answers.streams import StreamReader
from tracking.errors import ResponseError

MOST_BYTES = 64 * 1024 * 1024
"""Of a body of one piece, or of one event, that is kept to be read."""

SSE, AWS_EVENTS = "text/event-stream", "application/vnd.amazon.eventstream"
STREAMED_LINES = ("application/x-ndjson", "application/stream+json")
"""Ollama's and Cohere's streams; other JSON lines are files."""


class BodyReader(Protocol):
    """Takes one body bit by bit as it comes; `answers()` are what they make so far."""

    def feed(self, data: Any) -> None: ...

    def has_text(self) -> bool: ...

    def end(self) -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def answers(self, provider: str | None, model: str | None) -> list[Any]: ...


class WholeBody:
    """A JSON document, or JSON lines of which each is an answer (the results of a batch)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._error: BaseException | None = None

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MOST_BYTES:
            self._parts.append(data)

    def has_text(self) -> bool:
        return False

    def end(self) -> None: ...

    def fail(self, error: BaseException) -> None:
        self._error = error

    def answers(self, provider: str | None, model: str | None) -> list[Any]:
        if self._size > MOST_BYTES:
            raise ResponseError(f"an answer is longer than {MOST_BYTES:,} bytes")
        if self._error is not None:
            raise ResponseError("an answer broke off")
        return documents(b"".join(self._parts))


class Chunks:
    """A stream of chunks that the client has taken apart already."""

    def __init__(self) -> None:
        self._reader = StreamReader()

    def feed(self, data: Any) -> None:
        self._reader.feed(data)

    def has_text(self) -> bool:
        return self._reader.characters > 0

    def end(self) -> None:
        self._reader.end()

    def fail(self, error: BaseException) -> None:
        self._reader.fail(error)

    def answers(self, provider: str | None, model: str | None) -> list[Any]:
        self._reader.provider, self._reader.model = provider, model
        return [LLMResponse._of(self._reader.read())]  # pyright: ignore[reportPrivateUsage] # noqa: SLF001


class Events(Chunks):
    """A stream as bytes.

    `split` takes whole events out of what has come, so many bytes of it now; `decode` makes of one what a reader takes.
    """

    def __init__(self, split: Callable[[bytearray, int], Iterator[bytes]], decode: Callable[[bytes], object]) -> None:
        super().__init__()
        self._buffer = bytearray()
        self._split = split
        self._decode = decode

    def feed(self, data: bytes) -> None:
        self._buffer += data
        for event in self._split(self._buffer, len(data)):
            self._take(event)

    def end(self) -> None:
        if self._buffer.strip():  # a last event without the blank line after it
            self._take(bytes(self._buffer))
        super().end()

    def _take(self, event: bytes) -> None:
        decoded = self._decode(event)
        if decoded is END:
            super().end()
        elif decoded is not None:
            super().feed(decoded)


END = object()


def reader_for(content_type: str) -> BodyReader | None:
    """What reads a body of this type; `None` where it holds no counts (sound, pictures, …)."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == SSE:
        return Events(_blocks, _data_of_block)
    if kind in STREAMED_LINES:
        return Events(_lines, _json_or_nothing)
    if kind == AWS_EVENTS:
        return Events(_aws_messages, _payload_of_message)
    if kind.endswith(("json", "jsonl")) or kind in ("", "application/octet-stream", "text/plain"):
        return WholeBody()
    return None


def documents(body: bytes) -> list[Any]:
    """The JSON objects of a body: one, or one a line."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return []
    try:
        document = from_json(body)
    except ValueError:
        lines = [_json_or_nothing(line) for line in body.splitlines()]
        return [line for line in lines if line is not None]
    return cast("list[Any]", document) if isinstance(document, list) else [document]


def _blocks(buffer: bytearray, fresh: int) -> Iterator[bytes]:
    """Whole events of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), cut off."""
    start = max(0, len(buffer) - fresh - 1)
    if buffer.find(b"\r", start) >= 0:
        held = buffer.endswith(b"\r")  # half a line's end, perhaps
        tail = buffer[start : -1 if held else None].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        buffer[start:] = tail + (b"\r" if held else b"")
        fresh = len(buffer) - start
    return _cut(buffer, b"\n\n", fresh)


def _lines(buffer: bytearray, fresh: int) -> Iterator[bytes]:
    return _cut(buffer, b"\n", fresh)


def _cut(buffer: bytearray, end: bytes, fresh: int) -> Iterator[bytes]:
    """Only the last `fresh` bytes are searched: a picture of 8 MB in small pieces took 1 s, and takes 0.1 s."""
    if buffer.find(end, max(0, len(buffer) - fresh - len(end) + 1)) < 0:
        if len(buffer) > MOST_BYTES:
            buffer.clear()
            raise ResponseError(f"an event of a stream is longer than {MOST_BYTES:,} bytes")
        return iter(())
    *whole, rest = buffer.split(end)
    buffer[:] = rest
    return map(bytes, whole)


def _data_of_block(block: bytes) -> object:
    data = block[5:] if block[:5] == b"data:" and b"\n" not in block else _joined_data(block)
    return END if len(data) < 10 and data.strip() == b"[DONE]" else _json_or_nothing(data)


def _joined_data(block: bytes) -> bytes:
    return b"\n".join(line[5:] for line in block.split(b"\n") if line[:5] == b"data:")


def _json_or_nothing(data: bytes) -> object:
    try:
        decoded = from_json(data)
    except ValueError:
        return None
    return cast(object, decoded) if isinstance(decoded, dict) else None


def _aws_messages(buffer: bytearray, fresh: int) -> Iterator[bytes]:
    """Whole messages of an AWS event stream: each begins with its length (smithy's `amazon-eventstream`)."""
    while len(buffer) >= 4 and len(buffer) >= (length := int.from_bytes(buffer[:4], "big")) > 0:
        yield bytes(buffer[:length])
        del buffer[:length]


def _payload_of_message(message: bytes) -> object:
    buffer: Any = import_module("botocore.eventstream").EventStreamBuffer()  # of the package whose client is watched
    buffer.add_data(message)
    event: Any = next(iter(buffer))
    payload: Any = _json_or_nothing(event.payload)
    if payload is not None and isinstance(inner := payload.get("bytes"), str):
        return {"chunk": {"bytes": b64decode(inner)}}
    kind = event.headers.get(":event-type")
    return payload if payload is None or not isinstance(kind, str) else {kind: payload}
