"""Which provider gave an answer: from what the caller says, the class, the shape, and the model, in that order."""

from functools import cache, lru_cache

from tracking.answers.extractors import CompiledExtractors
from tracking.answers.fields import Fields, fields_of, text_in
from tracking.answers.shapes.everyones import MARKS
from tracking.errors import ArgumentError
from tracking.providers import REMEMBERED_NAMES, find_provider, provider_named, provider_of_model, snapshot
from tracking.values import LONGEST_NAME

_BY_FIELD = [(name, each.provider) for each in MARKS for name in each.fields]
_BY_USAGE_FIELD = [(name, each.provider) for each in MARKS for name in each.usage_fields]
_BY_ID = [(prefix, each.provider) for each in MARKS for prefix in each.ids]

_known: dict[str, CompiledExtractors] = {}
_known_from: object = None


def extractors_of(provider: str) -> CompiledExtractors:
    """The compiled extractors of a provider, by its id or any name people use for it, or of one no catalogue knows."""
    global _known, _known_from
    prices = snapshot()
    if prices is not _known_from:
        _known, _known_from = {}, prices
        _providers_of.cache_clear()
    compiled = _known.get(provider)
    if compiled is None:
        if len(_known) >= REMEMBERED_NAMES:
            _known.clear()
        name, known = provider_named(provider), find_provider(provider)
        compiled = _known.get(name)
        if compiled is None:  # those no catalogue knows are read alike, whatever their name
            compiled = CompiledExtractors(name, known) if known else _of_anyone().named(name)
        _known[provider] = _known[name] = compiled
    return compiled


@cache
def _of_anyone() -> CompiledExtractors:
    return CompiledExtractors("")


@lru_cache(maxsize=1024)
def provider_of_class(kind: type) -> str | None:
    """The provider whose own SDK a class belongs to."""
    module = kind.__module__
    packages = ((package, each.provider) for each in MARKS for package in each.packages)
    return next((provider for package, provider in packages if f"{module}.".startswith(f"{package}.")), None)


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
    for name, provider in _BY_FIELD:
        if name in answer:
            return provider
    identity = answer.get("id")
    if isinstance(identity, str):
        for prefix, provider in _BY_ID:
            if identity.startswith(prefix) and (provider != "openrouter" or "provider" in answer):
                return provider
    usage = fields_of(answer.get("usage") or answer.get("meta")) or {}
    if answer.get("type") == "message" and "input_tokens" in usage:
        return "anthropic"
    return next((provider for name, provider in _BY_USAGE_FIELD if name in usage), None)


def _model_in(answer: Fields) -> str | None:
    named = text_in(answer.get("model")) or text_in(answer.get("modelVersion"))
    return named if named is None or len(named) <= LONGEST_NAME else None


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
