"""What a model costs: the price facts of genai-prices, found by provider, model and instant.

genai-prices is imported when a price is first needed, not with this module: it takes half a second.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tracking.errors import UnknownModelError

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider

SOURCE = "genai-prices"


@cache
def source_version() -> str:
    return version(SOURCE)


def _snapshot() -> "DataSnapshot":
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def find_provider(provider: str) -> "Provider | None":
    """The catalogue's provider for an id or one of its usual names, or `None`."""
    from genai_prices.data_snapshot import find_provider_by_id

    return find_provider_by_id(_snapshot().providers, provider)


def provider_of_model(model: object) -> "Provider | None":
    """The provider whose naming a model follows, or `None`."""
    if not isinstance(model, str) or not model:
        return None
    try:
        return _snapshot().find_provider(model, None, None)
    except LookupError:
        return None


@dataclass(frozen=True, slots=True)
class Price:
    """The prices of one model in force at one instant, and where they come from."""

    provider: "Provider"
    model: "ModelInfo"
    rates: "ModelPrice"
    context: Mapping[str, str]

    @property
    def llm(self) -> str:
        """The catalogue's canonical id of the model."""
        return self.model.id

    def entry(self) -> dict[str, Any]:
        """Everything needed to compute with this price again: USD rates by unit, with tiers, as decimal text."""
        return {
            "source": SOURCE,
            "version": source_version(),
            "provider": self.provider.id,
            "model": self.model.id,
            "context": dict(self.context),
            "rates": dict(_rates(self.rates)),
        }

    @property
    def price_id(self) -> str:
        """Source, version, provider and model in words, and a hash of the rates. Usable as a file name."""
        entry = self.entry()
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", self.model.id)[:80]
        return f"{SOURCE}-{entry['version']}.{self.provider.id}.{name}.{digest}"


def _rates(prices: "ModelPrice") -> Iterator[tuple[str, Any]]:
    for key, price in vars(prices).items():
        if price is None:
            continue
        tiers = getattr(price, "tiers", None)
        if tiers is None:
            yield key, str(price)
        else:
            steps = [{"above_input_tokens": tier.start, "rate": str(tier.price)} for tier in tiers]
            yield key, {"base": str(price.base), "tiers": steps}


def find_price(provider: str, model: str | None, at: datetime, context: Mapping[str, str]) -> Price:
    """The price in force at `at` (an aware instant) for a model as its provider names it.

    Raises:
        UnknownModelError: no model, or none the catalogue knows, with the nearest known names.
    """
    if not model:
        raise UnknownModelError(provider, model)
    try:
        found_provider, found_model = _snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        raise UnknownModelError(provider, model, nearest_names(provider, model)) from None
    # Variants belong to the provider that lists the model; one priced by another's list has none (genai-prices).
    own = any(found_model is listed for listed in found_provider.models)
    applying = {key: value for key, value in context.items() if own and _has_variant(found_model, key, value)}
    rates = found_model.get_prices(at, applying or None)
    return Price(found_provider, found_model, rates, applying)


def _has_variant(model: "ModelInfo", key: str, value: str) -> bool:
    return any(variant.when.get(key) == value for variant in model.price_variants or ())


def nearest_names(provider: str, model: str) -> list[str]:
    """Up to three known `provider/model` names most like `model`, those of the same provider first."""
    known = find_provider(provider)
    wanted = model.lower()
    own = [listed.id for listed in known.models] if known else []
    near = [f"{known.id}/{name}" for name in get_close_matches(wanted, own, n=3, cutoff=0.4)] if known else []
    if len(near) < 3:
        elsewhere = {listed.id: vendor.id for vendor in reversed(_snapshot().providers) for listed in vendor.models}
        near += [f"{elsewhere[name]}/{name}" for name in get_close_matches(wanted, list(elsewhere), n=3, cutoff=0.6)]
    return list(dict.fromkeys(near))[:3]


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
