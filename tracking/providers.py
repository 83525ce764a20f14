"""Who sells models: the providers genai-prices knows, by id or by any name people use for them."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import Provider

ALIASES = {
    # OpenTelemetry's names, https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/, current and older
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
    # LangChain's, LiteLLM's and Pydantic AI's, where the catalogue would not know them or take them for another
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure_text": "azure",
    "azure-openai": "azure",
    "fireworks_ai": "fireworks",
    "google_anthropic_vertex": "google",
    "vertex_ai-anthropic": "google",
    "moonshot": "moonshotai",
    "sagemaker": "aws",
    "together": "together",
}


@cache
def _snapshot_source() -> "Callable[[], DataSnapshot]":
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot


def snapshot() -> "DataSnapshot":
    """The prices now: bundled ones, or fresher ones the application has set."""
    return _snapshot_source()()


def find_provider(name: str) -> "Provider | None":
    """The catalogue's provider for an id or any name people use for it, or `None`."""
    from genai_prices.data_snapshot import find_provider_by_id

    name = name.strip().lower()
    return find_provider_by_id(snapshot().providers, ALIASES.get(name, name)) if name else None


def provider_of_model(model: object) -> "Provider | None":
    """The provider whose naming a model follows, or `None`."""
    if not isinstance(model, str) or not model:
        return None
    try:
        return snapshot().find_provider(model, None, None)
    except LookupError:
        return None


def known_provider(name: object) -> str | None:
    """The catalogue's id for a provider as some library names it, or `None`."""
    found = find_provider(name) if isinstance(name, str) else None
    return None if found is None else found.id
