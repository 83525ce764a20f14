"""Google's `genai` clients: each call goes through one method, by whatever carries it; its answer is read there."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from tracking.capture.bodies import Chunks, documents
from tracking.capture.boundary import bounded
from tracking.capture.call import CapturedCall, unharmed
from tracking.capture.passing import PassingBody
from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder


def watch_client(client: Any, recorder: Recorder, patches: Patches, provider: str | None) -> None:
    """Record the calls of a client, and of its asynchronous half."""
    api: Any = client._api_client  # noqa: SLF001

    def begin(given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall:
        return GenaiCall(recorder, provider or "google", options.get("http_request") or given[0])

    for name in ("_request", "_async_request"):
        patches.replace(api, name, bounded(getattr(api, name), begin))


class GenaiCall(CapturedCall):
    """A call of which the SDK's own request and response are known, whatever carries them."""

    def __init__(self, recorder: Recorder, provider: str, request: Any) -> None:
        super().__init__(recorder, provider, None)
        with unharmed(recorder, "requests"):
            self.sent(request.method.upper(), request.url.partition("?")[0], lambda: request.data)

    def returned(self, result: Any) -> None:
        with unharmed(self.recorder, "answers"):
            whole: Any = result.response_stream
            if type(whole) is list:
                self.answered(lambda provider, model: documents("".join(cast("list[str]", whole)).encode()))
                return
            self.body = PassingBody(self, Chunks())
            result.segments = _passing(result.segments, self.body)
            result.async_segments = _passing_async(result.async_segments, self.body)


def _passing(segments: Any, body: PassingBody) -> Any:
    def watched() -> Iterator[Any]:
        try:
            for chunk in segments():
                body.feed(chunk)
                yield chunk
            body.end()
        except Exception as error:
            body.fail(error)
            raise
        finally:
            body.close()

    return watched


def _passing_async(segments: Any, body: PassingBody) -> Any:
    async def watched() -> AsyncIterator[Any]:
        try:
            async for chunk in segments():
                body.feed(chunk)
                yield chunk
            body.end()
        except Exception as error:
            body.fail(error)
            raise
        finally:
            body.close()

    return watched
