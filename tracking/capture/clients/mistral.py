"""Mistral's clients: each of their many parts sends by a method they inherit, and all share one configuration."""

from typing import Any

from tracking.capture.call import CapturedCall
from tracking.capture.http_client import watch_http_client
from tracking.capture.of_watched import BEGIN, bounded_where_watched, replace_once
from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder

SELLERS = {"azure": "azure", "gcp": "google"}
"""By the part of the package that a client is from."""


def watch_client(client: Any, recorder: Recorder, patches: Patches, provider: str | None) -> None:
    """Record the calls of a client, through all parts of it, those made later too."""
    kind = next(each for each in type(client).__mro__ if each.__module__.startswith("mistralai."))
    part = kind.__module__.split(".")[1]
    configuration = client.sdk_configuration

    def begin(given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall:
        return CapturedCall(recorder, provider or SELLERS.get(part), "mistral")

    patches.replace(configuration, BEGIN, begin)
    for name in ("do_request", "do_request_async"):  # which parts of the client, made when they are first used, inherit
        replace_once(kind, name, lambda method: bounded_where_watched(method, lambda part: part.sdk_configuration))
    for http in (configuration.client, configuration.async_client):
        if http is not None:
            watch_http_client(http, patches)
