"""Which provider gave an answer: from what the caller says, the class, the shape, and the model, in that order."""

from functools import lru_cache
from typing import TYPE_CHECKING

from tracking.answers.extractors import CompiledExtractors, compile_extractors
from tracking.answers.fields import Fields, fields_of, text_in
from tracking.errors import ArgumentError
from tracking.providers import find_provider, provider_named, provider_of_model, snapshot

if TYPE_CHECKING:
    pass

PROVIDER_OF_MODULE = {
    "anthropic": "anthropic",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "fireworks": "fireworks",
    "groq": "groq",
    "google": "google",
    "mistralai": "mistral",
    "together": "together",
    "vertexai": "google",
    "voyageai": "voyageai",
    "xai_sdk": "x-ai",
}
"""SDKs that speak to one provider only. OpenAI's speaks to any that copies its interface, so it tells nothing."""

_MARKS = {
    "usageMetadata": "google",
    "usage_metadata": "google",
    "x_groq": "groq",
    "prompt_filter_results": "azure",
    "time_info": "cerebras",
}
"""Fields of an answer that one provider alone sends."""

_USAGE_MARKS = {
    "inputTokens": "aws",
    "billed_units": "cohere",
    "is_byok": "openrouter",
    "cost_details": "openrouter",
}
"""Fields of its usage (Cohere's: its meta) that one provider alone sends."""

_ID_PREFIXES = (("msg_bdrk_", "aws"), ("msg_vrtx_", "google"), ("gen-", "openrouter"))
"""What the resellers of Anthropic's interface, and OpenRouter, begin their ids with."""


_known: dict[tuple[str, str | None], CompiledExtractors] = {}
_known_from: object = None


def extractors_of(provider: str, dialect: str | None = None) -> CompiledExtractors:
    """The compiled extractors of a provider, by its id or any name people use for it, or of one no catalogue knows."""
    global _known, _known_from
    prices = snapshot()
    if prices is not _known_from:
        _known, _known_from = {}, prices
        _providers_of.cache_clear()
    compiled = _known.get((provider, dialect))
    if compiled is None:
        known = provider_named(provider)
        compiled = _known.get((known, dialect)) or compile_extractors(known, find_provider, dialect)
        _known[known, dialect] = compiled
        if len(_known) < 4096:
            _known[provider, dialect] = compiled
    return compiled


@lru_cache(maxsize=1024)
def provider_of_class(kind: type) -> str | None:
    """The provider whose own SDK a class belongs to."""
    package, _, rest = kind.__module__.partition(".")
    if package == "google" and not rest.startswith(
        ("genai", "generativeai", "cloud.aiplatform", "ai.generativelanguage")
    ):
        return None
    if package == "mistralai" and rest.startswith(("azure", "gcp")):
        return "azure" if rest.startswith("azure") else "google"
    return PROVIDER_OF_MODULE.get(package)


def infer_provider(answer: Fields, model: str | None) -> str:
    """The provider an answer's shape, its id or its model speaks for.

    Raises:
        ArgumentError: none does, or several do equally; they are named.
    """
    if shaped := _by_shape(answer):
        return shaped
    models = [name for name in (model, _model_in(answer)) if name]
    for name in models:
        if len(found := _providers_of(name)) == 1:
            return found[0]
    for name in models:
        if found := _providers_of(name):
            raise ArgumentError("provider", f"is not given, and model {name!r} is sold by several: {', '.join(found)}")
    raise ArgumentError("provider", "is not given and cannot be told from the answer")


def _by_shape(answer: Fields) -> str | None:
    for name, provider in _MARKS.items():
        if name in answer:
            return provider
    identity = answer.get("id")
    if isinstance(identity, str):
        for prefix, provider in _ID_PREFIXES:
            if identity.startswith(prefix) and (provider != "openrouter" or "provider" in answer):
                return provider
    usage = fields_of(answer.get("usage") or answer.get("meta")) or {}
    if answer.get("type") == "message" and "input_tokens" in usage:
        return "anthropic"
    return next((provider for name, provider in _USAGE_MARKS.items() if name in usage), None)


def _model_in(answer: Fields) -> str | None:
    return text_in(answer.get("model")) or text_in(answer.get("modelVersion"))


@lru_cache(maxsize=1024)
def _providers_of(model: str) -> tuple[str, ...]:
    """The provider whose naming a model follows and who sells it; else all who sell it."""
    sellers = tuple(
        provider.id
        for provider in snapshot().providers
        if any(sold.is_match(model.lower()) for sold in provider.models)
    )
    named = provider_of_model(model)
    if named is not None and (named.id in sellers or not sellers):
        return (named.id,)
    return ("openai",) if "openai" in sellers else sellers
