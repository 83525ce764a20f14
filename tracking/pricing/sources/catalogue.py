"""What a model costs, found by provider, model and instant: by the first source of prices that knows the model.

genai-prices is imported when a price is first needed, not with this module: it takes half a second.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import cast

from tracking.errors import UnknownModelError
from tracking.pricing.price import Price
from tracking.pricing.sources import price_map
from tracking.pricing.sources.catalogued_model import CataloguedModel
from tracking.pricing.sources.facts import Fact
from tracking.pricing.sources.listing import SOURCE, CatalogueListing, ResoldListing, source_version
from tracking.pricing.sources.model_names import names_of
from tracking.pricing.sources.price_map import MapListing
from tracking.pricing.sources.supplement_files import SOURCE as SUPPLEMENT
from tracking.pricing.sources.supplement_files import facts_about, supplement_version
from tracking.providers import find_provider, provider_named, provider_of_model, snapshot

LONGEST_NAME = 256
"""A longer name is like none that is known, and comparing it takes long."""
REMEMBERED_MODELS = 4096
"""Names of models come from outside: how many of them are kept at most."""


def sources() -> str:
    """Which sources of prices there are, each with its version."""
    mapped = f", {price_map.SOURCE} {version}" if (version := price_map.version()) else ""
    return f"{SOURCE} {source_version()}, {SUPPLEMENT} {supplement_version()}{mapped}"


def provider_id_of(model: str) -> str:
    """The id of the provider whose naming a model follows.

    Raises:
        UnknownModelError: no provider's, with the nearest known names.
    """
    found = provider_of_model(model)
    if found is None:
        raise UnknownModelError(None, model, nearest_names(None, model))
    return found.id


def every_model() -> Iterator[tuple[str, str]]:
    """Provider and model of everything the catalogue lists."""
    for provider in snapshot().providers:
        for model in provider.models:
            yield provider.id, model.id


_models: dict[tuple[str, str], CataloguedModel | None] = {}
_models_of: object = None
_NOT_LOOKED_UP = object()


def find_price(provider: str, model: str | None, at: datetime, terms: Mapping[str, str]) -> Price:
    """The price in force at `at` (a UTC instant) for a model as its provider names it.

    Raises:
        UnknownModelError: no model, or none that any source of prices knows, with the nearest known names.
    """
    catalogued = catalogued_model(provider, model)
    if catalogued is None:
        raise UnknownModelError(provider, model, nearest_names(provider, model) if model else ())
    return catalogued.price(at, terms)


def catalogued_model(provider: str | None, model: str | None) -> CataloguedModel | None:
    """A model as its provider names it, or `None` where no source of prices knows it."""
    global _models, _models_of
    if not model or not provider:
        return None
    prices = snapshot()
    if prices is not _models_of:
        _models, _models_of = {}, prices
    entry = _models.get((provider, model), _NOT_LOOKED_UP)
    if entry is _NOT_LOOKED_UP:
        if len(_models) >= REMEMBERED_MODELS:
            _models.clear()
        _models[provider, model] = entry = _look_up(provider, model)
    return cast("CataloguedModel | None", entry)


def _look_up(provider: str, model: str) -> CataloguedModel | None:
    """By the supplement, else by genai-prices, else by the map of an installed LiteLLM."""
    sold_by = find_provider(provider)
    seller = sold_by.id if sold_by else provider_named(provider)
    names = tuple(names_of(seller, model))
    listing: CatalogueListing | None = None
    if sold_by is not None:
        listed = (sold_by.find_model(name, all_providers=snapshot().providers) for name in names)
        if (found := next(filter(None, listed), None)) is not None:
            listing = CatalogueListing(sold_by, found)
    known = {name.lower() for name in names} | ({listing.llm.lower()} if listing else set[str]())
    facts = [fact for fact in facts_about(seller) if fact.kind != "differs" and fact.is_about(known)]
    bought = [fact for fact in facts if fact.kind == "resold"]
    if bought and sold_by is not None and (sellers := _sellers_listing(bought[0], known)) is not None:
        theirs = (fact for fact in facts_about(bought[0].seller) if fact.kind != "differs")
        of_seller = (fact for fact in theirs if fact.is_about([sellers.llm.lower()]))
        resold = ResoldListing(listing, sellers, _last_change(sold_by.id))
        return CataloguedModel(seller, resold.llm if listing else names[-1].lower(), resold, [*facts, *of_seller])
    map_listing: MapListing | None = None
    if listing is None and not any(fact.kind == "price" for fact in facts):
        map_listing = price_map.mapped_model(seller, model)
        if map_listing is None:
            return None
    found_in = listing or map_listing
    return CataloguedModel(seller, found_in.llm if found_in else names[-1].lower(), found_in, facts)


@lru_cache(maxsize=8)
def _last_change(provider: str) -> date:
    """The day of the newest price among a provider's models: until then at least the list was kept."""
    sold_by = find_provider(provider)
    days = (day for model in sold_by.models for day in CatalogueListing(sold_by, model).change_dates) if sold_by else ()
    return max(days, default=date.max)


def _sellers_listing(fact: Fact, known: Iterable[str]) -> CatalogueListing | None:
    """A model in the list of whom it is bought from, by its names without whose it is; `None` where it is not there."""
    bought_from = find_provider(fact.seller)
    if bought_from is None:
        return None
    for name in sorted(known):
        found = bought_from.find_model(name.rpartition("/")[2])
        if found is not None:
            return CatalogueListing(bought_from, found)
    return None


def _sellers() -> dict[str, str]:
    """A provider for each model of the catalogue: where several sell it, the one whose naming it follows."""
    sellers: dict[str, str] = {}
    for provider in snapshot().providers:
        for model in provider.models:
            own = provider.model_match is not None and provider.model_match.is_match(model.id)
            if own or model.id not in sellers:
                sellers[model.id] = provider.id
    return sellers


@lru_cache(maxsize=1024)
def nearest_names(provider: str | None, model: str) -> tuple[str, ...]:
    """Up to three known `provider/model` names most like `model`, those of the same provider first."""
    if len(model) > LONGEST_NAME:
        return ()
    known = find_provider(provider) if provider else None
    lowercase = model.lower()
    # Some ids of the catalogue do not match themselves; the name just refused helps nobody.
    own = [listed.id for listed in known.models if listed.id.lower() != lowercase] if known else []
    near = [f"{known.id}/{name}" for name in get_close_matches(lowercase, own, n=3, cutoff=0.4)] if known else []
    if len(near) < 3:
        elsewhere = _sellers()
        near += [f"{elsewhere[name]}/{name}" for name in get_close_matches(lowercase, list(elsewhere), n=3, cutoff=0.6)]
    return tuple(dict.fromkeys(near))[:3]


@lru_cache(maxsize=4096)
def family_of(model: str) -> str | None:
    """The family of a model id, coarse on purpose: claude, gpt, gemini, llama, mistral, …

    The letters its name begins with, once vendor and region prefixes are gone
    (`global.anthropic.claude-sonnet-4-6-v1:0`, `meta-llama/llama-4-scout`).
    """
    name = model.lower().removeprefix("ft:").rsplit("/", 1)[-1].split(":", 1)[0]
    parts = name.split(".")
    while len(parts) > 1 and re.fullmatch(r"[a-z][a-z-]*", parts[0]):
        parts.pop(0)
    letters = re.match(r"[a-z]+", parts[0])
    return letters.group() if letters else None
