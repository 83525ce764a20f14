"""The entries of a `prices.toml`: whose price, discount or fee each is about, from when, and on which terms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Any, cast

from tracking.pricing.sources.compiled_rates import GivenRate, card_of_rates
from tracking.pricing.sources.model_names import bare_name
from tracking.pricing.sources.toml_fields import amount_of, dates_of, decimal_of, rates_of, text_of
from tracking.providers import provider_named
from tracking.terms import implied_by

CONDITIONS = ("service_tier", "region", "tenant")
SCOPE_FIELDS = frozenset({"provider", "model", "from", "to", *CONDITIONS})
VALUE_FIELDS = {"price": "rates", "discount": "percent", "fee": "usd_per_request"}
MOST_SURCHARGE = Decimal(-1000)


@dataclass(frozen=True, slots=True)
class OwnEntry:
    """One dated entry: about one model, a pattern of names, or all of a provider's, from an instant up to another."""

    label: str
    """Where it stands, e.g. `[[discount]] number 2`."""
    provider: str
    model: str | None
    start: datetime
    end: datetime
    value: Any
    """Rates by their names, or an exact decimal: percent, or USD per request."""
    when: Mapping[str, str] = field(default_factory=dict[str, str])
    """What else must hold of the call: its service tier, region or tenant."""

    @property
    def is_pattern(self) -> bool:
        return self.model is not None and not _is_literal(self.model)

    def names(self, names: tuple[str, ...]) -> tuple[int, int] | None:
        """How exactly the entry names a model that goes by `names`, the answer's own first; `None` where it does not.

        A name before a pattern before the whole provider; the answer's own name before its canonical one; of two
        patterns the one with more letters.
        """
        if self.model is None:
            return (0, 0)
        wanted = self.model.lower()
        if not self.is_pattern:
            return (2, -names.index(wanted)) if wanted in names else None
        letters = len(re.sub(r"[*?\[\]]", "", wanted))
        return (1, letters) if any(fnmatchcase(name, wanted) for name in names) else None

    def applies(self, at: datetime, terms: Mapping[str, str]) -> bool:
        """Whether it is in force at an instant for a call on these terms."""
        return self.start <= at < self.end and all(_holds(name, value, terms) for name, value in self.when.items())

    def says(self, term: str, value: str) -> bool:
        """Whether the entry is one for calls on this very term, or on what stands for it."""
        said = {pair for name, of in self.when.items() for pair in ((name, of.lower()), *implied_by(name, of).items())}
        return (term, value.lower()) in said

    def contends_with(self, other: "OwnEntry") -> bool:
        """Whether both could apply to one call with neither the more exact."""
        same = (self.provider, self.model) == (other.provider, other.model)
        together = all(self.when[name] == other.when[name] for name in self.when.keys() & other.when.keys())
        ranked = len(self.when) != len(other.when)
        return same and together and not ranked and self.start < other.end and other.start < self.end


def _is_literal(model: str) -> bool:
    return not any(letter in model for letter in "*?[")


def _holds(name: str, value: str, terms: Mapping[str, str]) -> bool:
    """Whether a call is on a term: a tier is met by what it stands for too."""
    if terms.get(name, "").lower() == value.lower():
        return True
    implied = implied_by(name, value)
    return bool(implied) and implied.items() <= terms.items()


def entries_of(kind: str, tables: object) -> list[OwnEntry]:
    """The entries of one kind, as TOML reads them.

    Raises:
        ValueError: malformed, or two that overlap; the entry, or both of them, and the field are named.
    """
    if not isinstance(tables, list):
        raise ValueError(f"{kind} is not a list of tables; write [[{kind}]]")
    entries = [
        _entry(kind, f"[[{kind}]] number {number}", cast("dict[str, Any]", table))
        for number, table in enumerate(cast("list[Any]", tables), start=1)
    ]
    for one, two in combinations(entries, 2):
        if one.contends_with(two):
            raise ValueError(f"{one.label} and {two.label} overlap: both are about {two.provider} {two.model or '*'}")
    return entries


def _entry(kind: str, label: str, table: Mapping[str, Any]) -> OwnEntry:
    value_field = VALUE_FIELDS[kind]
    unknown = table.keys() - SCOPE_FIELDS - {value_field}
    if unknown:
        raise ValueError(f"{label}: unknown field {min(unknown)}")
    provider = provider_named(text_of(label, table, "provider"))
    model = text_of(label, table, "model").strip() if kind == "price" or "model" in table else None
    if model is not None and _is_literal(model):
        model = bare_name(provider, model)
    start, end = dates_of(label, table)
    if value_field not in table:
        raise ValueError(f"{label}: {value_field} is missing")
    raw_value, value = table[value_field], cast(Any, None)
    if kind == "price":
        value = _rates(label, provider, cast(str, model), raw_value)
    elif kind == "discount":
        value = decimal_of(label, value_field, raw_value)
        if not MOST_SURCHARGE <= value <= 100:
            raise ValueError(f"{label}: percent ({value}) is not between {MOST_SURCHARGE} (a surcharge) and 100")
    else:
        value = amount_of(label, value_field, raw_value)
    when = {name: text_of(label, table, name) for name in CONDITIONS if name in table}
    return OwnEntry(label, provider, model, start, end, value, when)


def _rates(label: str, provider: str, model: str, given: object) -> dict[str, GivenRate]:
    rates = rates_of(label, given)
    try:
        card_of_rates(provider, model, rates)
    except ValueError as error:
        raise ValueError(f"{label}: {error}") from None
    return rates
