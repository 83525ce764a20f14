"""Cohere's clients: each call goes through `request` or `stream` of one object, by an httpx client."""

from inspect import iscoroutinefunction
from typing import Any

from tracking.capture.boundary import bounded, bounded_async_manager, bounded_manager
from tracking.capture.call import CapturedCall
from tracking.capture.http_client import watch_http_client
from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder


def watch_client(client: Any, recorder: Recorder, patches: Patches, provider: str | None) -> None:
    """Record the calls of a client, through all parts of it."""
    http: Any = client._client_wrapper.httpx_client  # noqa: SLF001

    def begin(given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall:
        return CapturedCall(recorder, provider, "cohere")

    manager = bounded_async_manager if iscoroutinefunction(http.request) else bounded_manager
    patches.replace(http, "stream", manager(http.stream, begin))
    patches.replace(http, "request", bounded(http.request, begin))
    watch_http_client(http.httpx_client, patches)
