"""Bodies on their way to the application, chunk by chunk as they came, and read beside it."""

import sys
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

from tracking.capture.bodies import MOST_BYTES, BodyReader
from tracking.capture.call import CapturedCall, unharmed
from tracking.errors import ResponseError
from tracking.interrupts import raise_interrupt_behind


class PassingBody:
    """What reads a body while it passes, and records the call at its end, whatever ends it."""

    def __init__(self, call: CapturedCall, reader: BodyReader) -> None:
        self.answers = reader.answers
        self._call = call
        self._reader = reader
        self._is_waiting = True
        """For the first text."""
        self._is_broken = False

    def feed(self, data: Any) -> None:
        if self._is_broken:
            return
        try:
            self._reader.feed(data)
            if self._is_waiting and self._reader.has_text():
                self._is_waiting = False
                self._call.first_token()
        except Exception as error:
            raise_interrupt_behind(error)
            self._is_broken = True
            self._call.recorder.fell_short("streams", error)

    def has_text(self) -> bool:
        return not self._is_waiting

    def end(self) -> None:
        """The body has come whole."""
        with unharmed(self._call.recorder, "streams"):
            self._reader.end()
        self.close()

    def fail(self, error: BaseException) -> None:
        with unharmed(self._call.recorder, "streams"):
            self._reader.fail(error)

    def close(self) -> None:
        """Nothing more will come."""
        self._call.answered(self.answers)


class EncodedBody:
    """A body that is compressed: read at its end, by the HTTP library itself."""

    def __init__(self, reader: BodyReader, response: Any) -> None:
        self._reader = reader
        self._response = response
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MOST_BYTES:
            self._parts.clear()
            raise ResponseError(f"a compressed answer is longer than {MOST_BYTES:,} bytes")
        self._parts.append(data)

    def has_text(self) -> bool:
        return bool(self._parts)

    def end(self) -> None:
        self._decode()
        self._reader.end()

    def fail(self, error: BaseException) -> None:
        self._reader.fail(error)

    def answers(self, provider: str | None, model: str | None) -> list[Any]:
        self._decode()
        return self._reader.answers(provider, model)

    def _decode(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            headers = {"content-encoding": self._response.headers["content-encoding"]}
            library = sys.modules[_library(self._response)]
            self._reader.feed(library.Response(200, headers=headers, content=b"".join(parts)).content)


def watched_stream(response: Any, body: PassingBody) -> Any:
    """A response's stream, passed through `body`; of the class its library asks for."""
    library = _library(response)
    return _stream_class(library, hasattr(response.stream, "__aiter__"))(response.stream, body)


def _library(response: object) -> str:
    """`httpx` or its fork, by the classes a response is made of."""
    return next(
        name for each in type(response).__mro__ if (name := each.__module__.partition(".")[0]).startswith("httpx")
    )


@cache
def _stream_class(library: str, is_async: bool) -> type:
    package = sys.modules[library]
    return type(
        "WatchedStream",
        (_Async if is_async else _Sync, package.AsyncByteStream if is_async else package.SyncByteStream),
        {},
    )


class _Watched:
    def __init__(self, stream: Any, body: PassingBody) -> None:
        self._stream = stream
        self._body = body

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._stream, name)

    def __del__(self) -> None:
        self._body.close()


class _Sync(_Watched):
    def __iter__(self) -> Iterator[bytes]:
        try:
            for data in self._stream:
                self._body.feed(data)
                yield data
        except GeneratorExit:
            raise
        except BaseException as error:
            self._body.fail(error)
            raise
        self._body.end()

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._body.close()


class _Async(_Watched):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._stream:
                self._body.feed(data)
                yield data
        except GeneratorExit:
            raise
        except BaseException as error:
            self._body.fail(error)
            raise
        self._body.end()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._body.close()
