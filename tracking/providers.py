"""Who sells models: the providers genai-prices knows, by id or by any name people use for them, and all others."""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from tracking.interrupts import raise_interrupt_behind

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import Provider

ALIASES = {
    # OpenTelemetry's names, https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/, current and older
    "az-ai-inference": "azure",
    "az-ai-openai": "azure",
    "gcp-gen-ai": "google",
    # What a provider's own models, products and sites are called
    "bigmodel": "zhipuai",
    "claude": "anthropic",
    "codestral": "mistral",
    "gemini": "google",
    "grok": "x-ai",
    "kimi": "moonshotai",
    "meta-llama": "meta",
    "moonshot": "moonshotai",
    "pplx": "perplexity",
    "sagemaker": "aws",
    "xai": "x-ai",
    "z-ai": "zai",
    "zhipu": "zhipuai",
    # LiteLLM's, https://docs.litellm.ai/docs/providers, where the catalogue would take them for another
    "text-completion-codestral": "mistral",
}
"""Names of providers that the catalogue would not know, with `-` between their words."""

RESELLERS = {
    "azure": "azure",
    "bedrock": "aws",
    "cloudflare": "cloudflare",
    "copilot": "github-copilot",
    "databricks": "databricks",
    "openrouter": "openrouter",
    "vertex": "google",
}
"""Who sells other makers' models: a name that holds theirs and a maker's (`vertex_ai-anthropic`) is theirs."""

OF_NO_PROVIDER = frozenset({"custom-openai", "openai-like", "openai-compatible"})
"""Names of an interface, whoever answers by it."""

_AFFIXES = re.compile(r"^(?:pydantic-ai-)?gateway[-/]|[-/]?(?:ai|api|chat|cloud|completions?|messages|responses)$")
"""What libraries put around a provider's name: `gateway/groq`, `groq.chat`, `fireworks_ai`."""

REMEMBERED_NAMES = 4096
"""Names come from outside: how many of them are kept at most."""


@cache
def _snapshot_source() -> "Callable[[], DataSnapshot]":
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot


def snapshot() -> "DataSnapshot":
    """The prices now: bundled ones, or fresher ones the application has set."""
    return _snapshot_source()()


class _Names:
    """The providers of one snapshot by every name asked for so far."""

    def __init__(self, prices: "DataSnapshot") -> None:
        self._providers = prices.providers
        self._listed = {
            _words(name): provider for provider in prices.providers for name in (provider.name, provider.id)
        }
        self._behind_huggingface = [each for each in prices.providers if each.id.startswith("huggingface_")]
        """The catalogue has a list for each seller that Hugging Face routes to."""
        self._found: dict[str, Provider | None] = {}

    def find(self, name: str) -> "Provider | None":
        if name not in self._found:
            if len(self._found) >= REMEMBERED_NAMES:
                self._found.clear()
            self._found[name] = self._look_up(_words(name))
        return self._found[name]

    def _look_up(self, name: str) -> "Provider | None":
        if name in self._listed or name in ALIASES:
            return self._listed.get(ALIASES.get(name, name))
        if not name or name in OF_NO_PROVIDER:
            return None
        if "huggingface" in name:
            return next((sold for sold in self._behind_huggingface if _words(sold.id).partition("-")[2] in name), None)
        for seller, known in RESELLERS.items():
            if seller in name:
                return self._listed.get(known)
        shorter = _AFFIXES.sub("", name)
        if shorter != name and (found := self._look_up(shorter)) is not None:
            return found
        return next((p for p in self._providers if p.provider_match and p.provider_match.is_match(name)), None)


_names: _Names | None = None
_named_by: object = None


def find_provider(name: str) -> "Provider | None":
    """The catalogue's provider for an id or any name people use for it, or `None`."""
    global _names, _named_by
    prices = snapshot()
    if _names is None or prices is not _named_by:
        _names, _named_by = _Names(prices), prices
    return _names.find(name)


def every_name() -> list[str]:
    """The names that stand for a known provider by themselves, in lower case."""
    return [*(provider.id for provider in snapshot().providers), *ALIASES]


@lru_cache(maxsize=REMEMBERED_NAMES)
def provider_at(url: str) -> str | None:
    """The catalogue's id for whoever answers at an address, or `None`."""
    try:
        return snapshot().find_provider(None, None, url).id
    except LookupError as error:
        raise_interrupt_behind(error)
        return None


def provider_of_model(model: object) -> "Provider | None":
    """The provider whose naming a model follows, or `None`."""
    if not isinstance(model, str) or not model:
        return None
    try:
        return snapshot().find_provider(model, None, None)
    except LookupError as error:
        raise_interrupt_behind(error)
        return None


def known_provider(name: object) -> str | None:
    """The catalogue's id for a provider as some library names it, or `None`."""
    found = find_provider(name) if isinstance(name, str) else None
    return None if found is None else found.id


def provider_named(name: str) -> str:
    """One name for each provider: the catalogue's id, or for one it does not know the name as given, in lower case."""
    return known_provider(name) or name.strip().lower()


def _words(name: str) -> str:
    """A name in lower case, with `-` between its words."""
    return re.sub(r"[\s_.:-]+", "-", name.strip().lower())
