"""Mistral's clients: each of their many parts sends by a method they inherit, and all share one configuration."""

from typing import Any

from tracking.capture.boundary import Begin, bounded
from tracking.capture.call import CapturedCall
from tracking.capture.http_client import watch_http_client
from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder

MARK = "_llm_cost_begin"
"""On the configuration of a watched client: what makes its calls."""

SELLERS = {"azure": "azure", "gcp": "google"}
"""By the part of the package that a client is from."""

_watched_bases: set[type] = set()


def watch_client(client: Any, recorder: Recorder, patches: Patches, provider: str | None) -> None:
    """Record the calls of a client, through all parts of it, those made later too."""
    kind: type = client.__class__
    base = next(each for each in kind.__mro__ if each.__name__ == "BaseSDK")
    part = kind.__module__.split(".")[1]
    configuration = client.sdk_configuration

    def begin(given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall:
        return CapturedCall(recorder, provider or SELLERS.get(part), "mistral")

    patches.replace(configuration, MARK, begin)
    if base not in _watched_bases:  # for all clients, once: parts are made by the package when they are first used
        _watched_bases.add(base)
        for name in ("do_request", "do_request_async"):
            setattr(base, name, _of_watched(getattr(base, name)))
    for http in (configuration.client, configuration.async_client):
        if http is not None:
            watch_http_client(http, patches)


def _of_watched(method: Any) -> Any:
    """`method` of the base class, bounded for parts of watched clients and as it was for others."""

    def begin(given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall | None:
        make: Begin | None = getattr(given[0].sdk_configuration, MARK, None)
        return None if make is None else make(given, options)

    return bounded(method, begin)
