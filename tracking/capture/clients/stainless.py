"""Clients that Stainless generates (openai, anthropic, groq): each call goes through `request`, by an httpx client."""

from typing import Any

from tracking.capture.call import CapturedCall
from tracking.capture.http_client import watch_http_client
from tracking.capture.of_watched import BEGIN, bounded_where_watched, replace_once
from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder
from tracking.capture.watch import unwatch, watch

SELLERS = {"Azure": "azure", "Foundry": "azure", "Bedrock": "aws", "AWS": "aws", "Vertex": "google", "Mantle": "aws"}
"""Who sells, by what is in the name of a client's class."""

PACKAGES = ("openai", "anthropic", "groq")

OWN = {"anthropic": "anthropic", "groq": "groq"}
"""Whose a package is; openai's talks to many."""


def watch_client(client: Any, recorder: Recorder, patches: Patches, provider: str | None) -> None:
    """Record the calls of a client, and of every copy that is made of it."""
    kind: type = client.__class__
    patches.replace(client, BEGIN, _Beginning(recorder, provider, kind))
    replace_once(kind, "request", bounded_where_watched)
    for name in ("copy", "with_options"):
        replace_once(kind, name, _copy_watched)
    watch_http_client(client._client, patches)  # noqa: SLF001


class _Beginning:
    """Makes the calls of a watched client."""

    def __init__(self, recorder: Recorder, provider: str | None, kind: type) -> None:
        self.recorder = recorder
        self.provider = provider
        of_package = [each for each in kind.__mro__ if _package(each) in PACKAGES]  # a subclass may have any name
        sold = (seller for each in of_package for name, seller in SELLERS.items() if name in each.__name__)
        self._sold = provider or next(sold, None)
        self._own = next((OWN[_package(each)] for each in of_package if _package(each) in OWN), None)

    def __call__(self, given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall:
        asked = options.get("options", given[2] if len(given) > 2 else None)
        # what a request says, where it is sent as a form
        return CapturedCall(self.recorder, self._sold, self._own, getattr(asked, "json_data", None))


def _copy_watched(copy: Any) -> Any:
    def watched_copy(client: Any, *given: Any, **options: Any) -> Any:
        made = copy(client, *given, **options)
        beginning: Any = client.__dict__.get(BEGIN)
        if isinstance(beginning, _Beginning):
            unwatch(made)  # which `watch_everything()` has found, for another tracker perhaps
            watch(made, beginning.recorder, beginning.provider)
        return made

    return watched_copy


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]
