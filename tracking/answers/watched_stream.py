"""`watch_stream`: a provider's stream, passed through as it is, that can say what it cost."""

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Self

from tracking.answers.response import LLMResponse
from tracking.answers.streams import StreamReader


class WatchedStream:
    """Passes a stream's chunks through untouched and one at a time; `response` is what they make so far.

    Works for synchronous and asynchronous streams, with and without `with`, and whatever ends it: its own end, a
    `break`, an exception. Everything else (`close()`, an SDK's own helpers) is the stream's own.
    """

    def __init__(self, stream: Any, provider: str | None = None, model: str | None = None) -> None:
        self._stream = stream
        self._iterator: Any = None
        self._entered: Any = None
        self._reader = StreamReader(provider, model)

    @property
    def response(self) -> LLMResponse:
        """The answer as far as it has come: status "partial" and `estimated` where no final usage was among it.

        Raises:
            ResponseError: no chunk has come yet.
        """
        return LLMResponse._of(self._reader.read())  # pyright: ignore[reportPrivateUsage] # noqa: SLF001

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._stream)
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self._reader.end()
            raise
        except BaseException as error:
            self._reader.fail(error)
            raise
        self._reader.feed(chunk)
        return chunk

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._iterator is None:
            self._iterator = aiter(self._stream)
        try:
            chunk = await anext(self._iterator)
        except StopAsyncIteration:
            self._reader.end()
            raise
        except BaseException as error:
            self._reader.fail(error)
            raise
        self._reader.feed(chunk)
        return chunk

    def __enter__(self) -> Self:
        if hasattr(self._stream, "__enter__"):
            self._entered = self._stream
            self._stream = self._stream.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if error is not None:
            self._reader.fail(error)
        if self._entered is not None:
            return self._entered.__exit__(kind, error, traceback)
        if hasattr(self._stream, "close"):
            self._stream.close()
        return None

    async def __aenter__(self) -> Self:
        if hasattr(self._stream, "__aenter__"):
            self._entered = self._stream
            self._stream = await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if error is not None:
            self._reader.fail(error)
        if self._entered is not None:
            return await self._entered.__aexit__(kind, error, traceback)
        if hasattr(self._stream, "aclose"):
            await self._stream.aclose()
        return None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._stream, name)


def watch_stream(stream: Any, provider: str | None = None, model: str | None = None) -> WatchedStream:
    """Wrap a client's stream (or the manager it hands out) to loop over it as before and ask its `response` after."""
    return WatchedStream(stream, provider, model)
