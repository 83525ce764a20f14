"""`tracker.watch(client)`: which kind of client it is, and what watches that kind."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder
from tracking.errors import ArgumentError
from tracking.interrupts import raise_interrupt_behind

Client = TypeVar("Client")
Watch = Callable[[Any, Recorder, Patches, str | None], None]

KINDS: Mapping[str, str] = {
    "openai": "stainless",
    "anthropic": "stainless",
    "groq": "stainless",
    "google.genai": "genai",
    "mistralai": "mistral",
    "cohere": "cohere",
    "botocore": "bedrock",
    "ollama": "ollama",
}
"""What watches the clients of a package: a module of `clients/`, which has `watch_client`."""

MARK = "_llm_cost_patches"


def watch(client: Client, recorder: Recorder, provider: str | None) -> Client:
    """Have every call of a client recorded; the same client comes back. Watching it again changes nothing.

    Raises:
        ArgumentError: no client of a known kind.
    """
    modules = [f"{each.__module__}." for each in type(client).__mro__]
    kind = next((KINDS[each] for each in KINDS if any(module.startswith(f"{each}.") for module in modules)), None)
    if kind is None or not hasattr(client, "__dict__") or isinstance(client, type):
        known = ", ".join(KINDS)
        raise ArgumentError("client", f"is a {type(client).__name__}, which is no client of {known}")
    if MARK not in vars(client):
        patches = Patches()
        patches.replace(client, MARK, patches)
        watch_client: Watch = import_module(f"tracking.capture.clients.{kind}").watch_client
        try:
            watch_client(client, recorder, patches, provider)
        except ArgumentError:
            patches.undo()
            raise
        except Exception as error:  # whatever another version of a package does
            patches.undo()
            raise_interrupt_behind(error)
            raise ArgumentError(
                "client", f"is a {type(client).__name__} of a version that cannot be watched"
            ) from error
    return client


def unwatch(client: object) -> None:
    """Put a client back as it was."""
    patches = vars(client).get(MARK)
    if isinstance(patches, Patches):
        patches.undo()
