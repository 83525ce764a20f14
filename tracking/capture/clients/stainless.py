"""Clients that Stainless generates (openai, anthropic, groq): each call goes through `request`, by an httpx client."""

from typing import Any

from tracking.capture.boundary import bounded
from tracking.capture.call import CapturedCall
from tracking.capture.http_client import watch_http_client
from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder

SELLERS = {"Azure": "azure", "Foundry": "azure", "Bedrock": "aws", "AWS": "aws", "Vertex": "google", "Mantle": "aws"}
"""Who sells, by what is in the name of a client's class."""

OWN = {"anthropic": "anthropic", "groq": "groq"}
"""Whose a package is; openai's talks to many."""


def watch_client(client: Any, recorder: Recorder, patches: Patches, provider: str | None) -> None:
    """Record the calls of a client, and of every copy that is made of it."""
    kind: type = client.__class__
    sold = provider or next((seller for name, seller in SELLERS.items() if name in kind.__name__), None)
    own = next((OWN[package] for each in kind.__mro__ if (package := each.__module__.partition(".")[0]) in OWN), None)

    def begin(given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall:
        return CapturedCall(recorder, sold, own, _form(given, options))

    def copied(copy: Any) -> Any:
        def watched_copy(*given: Any, **options: Any) -> Any:
            made = copy(*given, **options)
            watch_client(made, recorder, Patches(), provider)
            return made

        return watched_copy

    patches.replace(client, "request", bounded(client.request, begin))
    for name in ("copy", "with_options"):
        patches.replace(client, name, copied(getattr(client, name)))
    watch_http_client(client._client, patches)  # noqa: SLF001


def _form(given: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What a request says, where it is sent as a form."""
    asked = options.get("options", given[1] if len(given) > 1 else None)
    return getattr(asked, "json_data", None)
