"""Ollama's clients: an httpx client of their own, each of whose requests is a call."""

from typing import Any

from tracking.capture.boundary import bounded
from tracking.capture.call import CapturedCall
from tracking.capture.http_client import watch_http_client
from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder


def watch_client(client: Any, recorder: Recorder, patches: Patches, provider: str | None) -> None:
    """Record the calls of a client."""
    http: Any = client._client  # noqa: SLF001

    def begin(given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall:
        return CapturedCall(recorder, provider, "ollama")

    watch_http_client(http, patches)
    patches.replace(http, "send", bounded(http.send, begin))
