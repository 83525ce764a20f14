"""`prices.toml` in the home: own models, negotiated discounts and per-request fees, dated, never edited in place.

Amounts are exact decimals, whether they are written as text or as numbers. A `[[price]]` replaces what every other
source says of a model; a `[[discount]]` and a `[[fee]]` apply to what then stands. A model is named as the provider
answers, by the catalogue's name, or by a pattern; of entries that fit a call the most exact one applies.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tracking.errors import LedgerError
from tracking.pricing.price import DISCOUNT, Price
from tracking.pricing.rate_card import REQUESTS, Rate
from tracking.pricing.sources.catalogue import catalogued_model, every_model, nearest_names
from tracking.pricing.sources.catalogued_model import CataloguedModel
from tracking.pricing.sources.compiled_rates import compiled
from tracking.pricing.sources.facts import Fact
from tracking.pricing.sources.model_names import names_of
from tracking.pricing.sources.own_entries import VALUE_FIELDS, OwnEntry, entries_of
from tracking.pricing.sources.supplement_files import facts_about
from tracking.providers import every_name, find_provider

SOURCE = "prices.toml"
REMEMBERED = 4096
"""Names and terms come from outside: how many of them are kept at most."""

Scored = tuple[tuple[tuple[int, int], int], OwnEntry]


class PriceOverrides:
    """What one `prices.toml` says; nothing where there is no file."""

    def __init__(self, entries: Mapping[str, list[OwnEntry]] | None = None) -> None:
        self._entries = {kind: [] for kind in VALUE_FIELDS} | dict(entries or {})
        self.is_empty = not any(self._entries.values())
        self.by_tenant = any("tenant" in entry.when for kind in self._entries.values() for entry in kind)
        """Whether some entry is about one tenant only."""
        self._about: dict[tuple[str, str | None], dict[str, list[Scored]]] = {}
        self._own: dict[tuple[object, ...], Price] = {}
        self._adjusted: dict[tuple[Price, str | None, str | None], Price] = {}

    @classmethod
    def load(cls, path: Path) -> "PriceOverrides":
        """Read the file, if there is one.

        Raises:
            LedgerError: malformed; the entry, the field and its value are named, of overlapping entries both, of an
                entry that can match nothing the nearest name that would.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        except FileNotFoundError:
            return cls()
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LedgerError(f"{path} is not valid TOML: {error}") from error
        except OSError as error:
            raise LedgerError(f"{path} cannot be read: {error.strerror}") from error
        unknown = content.keys() - VALUE_FIELDS.keys()
        if unknown:
            raise LedgerError(f"{path}: {min(unknown)} is no kind of entry; known: {', '.join(VALUE_FIELDS)}")
        try:
            entries = {kind: entries_of(kind, content.get(kind, [])) for kind in VALUE_FIELDS}
            _check_that_each_can_match(entries)
        except ValueError as error:
            raise LedgerError(f"{path}: {error}") from None
        return cls(entries)

    def apply(
        self,
        provider: str,
        model: str | None,
        at: datetime,
        terms: Mapping[str, str],
        catalogued: Callable[[], Price],
    ) -> Price:
        """The price of a model at a UTC instant: that of the other sources, unless an entry says otherwise.

        `terms` are the call's, its `tenant` among them where it has one.
        """
        about = self._entries_about(provider, model)
        own = _most_exact(about["price"], at, terms)
        base = self._own_price(own, provider, model, at, terms) if own and model else catalogued()
        discount, fee = _most_exact(about["discount"], at, terms), _most_exact(about["fee"], at, terms)
        if discount is None and fee is None:
            return base
        key = (base, discount and discount.label, fee and fee.label)
        if key not in self._adjusted:
            _make_room(self._adjusted)
            self._adjusted[key] = _adjusted(base, discount, fee)
        return self._adjusted[key]

    def changes(self, provider: str, model: str | None) -> set[datetime]:
        """The instants from which an entry about the model begins or ends to apply."""
        about = self._entries_about(provider, model).values()
        return {instant for scored in about for _, entry in scored for instant in (entry.start, entry.end)}

    def own_models(self) -> list[tuple[str, str]]:
        """Provider and model of every price of one's own that is about one model."""
        return [(entry.provider, str(entry.model)) for entry in self._entries["price"] if not entry.is_pattern]

    def _entries_about(self, provider: str, model: str | None) -> dict[str, list[Scored]]:
        """Of each kind the entries about a model, the most exact first."""
        about = self._about.get((provider, model))
        if about is None:
            names = _names(provider, model)
            about = {
                kind: sorted(
                    (
                        ((exact, len(entry.when)), entry)
                        for entry in entries
                        if entry.provider == provider and (exact := entry.names(names)) is not None
                    ),
                    key=lambda scored: scored[0],
                    reverse=True,
                )
                for kind, entries in self._entries.items()
            }
            _make_room(self._about)
            self._about[provider, model] = about
        return about

    def _own_price(self, own: OwnEntry, provider: str, model: str, at: datetime, terms: Mapping[str, str]) -> Price:
        """The price of an entry on the terms of a call, by the factors that the model has from other sources."""
        base_model = catalogued_model(provider, model)
        call_terms = {term: value for term, value in terms.items() if term != "tenant"}
        since = base_model.boundary(at) if base_model else None
        key = (own.label, model, since, *call_terms.items())
        if key not in self._own:
            _make_room(self._own)
            llm = base_model.llm if base_model else model if own.is_pattern else str(own.model)
            met = {(term, value) for term, value in call_terms.items() if own.says(term, value)}
            model_at = base_model or CataloguedModel(provider, llm, None, _facts(provider, model))
            rates, assumed, doubtful = model_at.on_terms(own.value, at, call_terms, met)
            card = compiled(provider, llm, rates)
            self._own[key] = Price(
                SOURCE, "1", provider, llm, call_terms, card, assumed, doubtful, card.units_covered()
            )
        return self._own[key]


def _names(provider: str, model: str | None) -> tuple[str, ...]:
    """The names a model goes by, its own first, the catalogue's last; in lower case."""
    if not (provider and model):
        return ()
    known = catalogued_model(provider, model)
    names = [*names_of(provider, model), *([known.llm] if known else [])]
    return tuple(dict.fromkeys(name.lower() for name in names))


def _facts(provider: str, model: str) -> list[Fact]:
    """What is known of all of a provider's models, or of ones called so."""
    names = _names(provider, model)
    return [fact for fact in facts_about(provider) if fact.is_about(names)]


def _most_exact(scored: Iterable[Scored], at: datetime, terms: Mapping[str, str]) -> OwnEntry | None:
    return next((entry for _, entry in scored if entry.applies(at, terms)), None)


def _make_room(remembered: dict[Any, Any]) -> None:
    if len(remembered) >= REMEMBERED:
        remembered.clear()


def _adjusted(base: Price, discount: OwnEntry | None, fee: OwnEntry | None) -> Price:
    percent = Decimal(0) if discount is None else discount.value
    fees = [] if fee is None else [Rate(REQUESTS, Decimal(1), fee.value)]
    context = dict(base.context) if discount is None else {**base.context, DISCOUNT: str(percent)}
    source = base.source if base.source == SOURCE else f"{base.source}+{SOURCE}"
    return replace(base, source=source, context=context, card=base.card.discounted(percent, *fees))


def _check_that_each_can_match(entries: Mapping[str, list[OwnEntry]]) -> None:
    """Refuse an entry whose provider is one misspelt, or whose model nobody sells and no own price is about."""
    own = entries["price"]
    for entry in (entry for kind in entries.values() for entry in kind):
        if find_provider(entry.provider) is None:
            _check_not_misspelt(entry)
    for entry in (*entries["discount"], *entries["fee"]):
        if entry.model is None or find_provider(entry.provider) is None:
            continue
        if any(entry.provider == price.provider and _same_name(entry, price) for price in own):
            continue
        if entry.is_pattern:
            sold = ((model.lower(),) for provider, model in every_model() if provider == entry.provider)
            if any(entry.names(names) for names in sold):
                continue
            raise ValueError(f"{entry.label}: no known model of {entry.provider} matches {entry.model!r}")
        if catalogued_model(entry.provider, entry.model) is None:
            near = ", ".join(nearest_names(entry.provider, entry.model)) or "none"
            raise ValueError(
                f"{entry.label}: model {entry.model!r} of {entry.provider} is known to no source of prices, "
                f"and has no [[price]] here; nearest known: {near}"
            )


def _same_name(entry: OwnEntry, price: OwnEntry) -> bool:
    names = (str(price.model).lower(),)
    return entry.names(names) is not None or price.names((str(entry.model).lower(),)) is not None


def _check_not_misspelt(entry: OwnEntry) -> None:
    """A host of one's own may have any name, but not one a letter away from a known provider's."""
    known = [name for name in every_name() if abs(len(name) - len(entry.provider)) <= 2]
    near = get_close_matches(entry.provider, known, n=1, cutoff=0.8)
    if near and near[0] not in entry.provider:
        raise ValueError(f"{entry.label}: provider {entry.provider!r} is not known; the nearest is {near[0]!r}")
