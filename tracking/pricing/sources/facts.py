"""Facts about prices of our own, beside genai-prices: what a provider publishes and the catalogue lacks, or has wrong.

A fact is a table of `supplement/<provider>.toml`; each has its public source and the day it was read. Kinds:

    [[price]]    what the provider itself asks for a model, in place of what the catalogue says, if anything; one with
                 `when` on that term alone
    [[rate]]     rates of units that the catalogue's price of a model lacks
    [[share]]    rates that a price lacks as a share of its rate of input
    [[factor]]   by what a term (batch, flex, priority, a region) multiplies the standard rates
    [[resold]]   models that are sold on at the price of the `seller` they are bought from
    [[differs]]  where other packages say another price `than` we do: who is right, and why; it prices nothing
    [[settled]]  units that are billed as the rest of their kind, or not at all: nothing is assumed there
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Any, cast

from tracking.pricing.sources.compiled_rates import GivenRate, card_of_rates
from tracking.pricing.sources.toml_fields import amount_of, dates_of, decimal_of, rates_of, text_of
from tracking.providers import find_provider
from tracking.usage import known_units

COMMON = frozenset({"models", "except", "from", "to", "source", "read", "why"})
KINDS = {
    "price": frozenset({"rates", "peak", "when", "open"}),
    "rate": frozenset({"rates", "open"}),
    "share": frozenset({"shares"}),
    "resold": frozenset({"seller"}),
    "factor": frozenset({"when", "factor", "units", "open"}),
    "settled": frozenset({"units"}),
    "differs": frozenset({"than"}),
}


OF_ANY_MODEL = frozenset({"price", "resold", "differs"})
"""The kinds that may be about models which the catalogue does not list."""

TERMS = frozenset({"service_tier", "processing", "speed", "latency", "region", "key", "web_search", "search_context"})
"""By what a call may be priced besides its model."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Hours of weekdays, UTC, whose rates are `factor` times the others'."""

    hours: tuple[tuple[time, time], ...]
    not_on: frozenset[date]
    every_day: bool
    factor: Decimal

    def covers(self, at: datetime) -> bool:
        if not self.every_day and (at.weekday() >= 5 or at.date() in self.not_on):
            return False
        moment = at.time()
        return any(start <= moment < end for start, end in self.hours)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: about which models, from when to when, by what source."""

    kind: str
    label: str
    models: tuple[str, ...]
    but: tuple[str, ...]
    start: datetime
    end: datetime
    source: str
    read: date
    why: str | None
    rates: Mapping[str, GivenRate] = field(default_factory=dict[str, GivenRate])
    shares: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """By a rate's name, what part of the rate of input it is."""
    peak: Peak | None = None
    when: tuple[str, tuple[str, ...]] = ("", ())
    """A term, and the values of it, or patterns of them, that the factor or the price is for."""
    factors: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """By unit; `*` stands for every other count of tokens."""
    seller: str = ""
    than: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    """Units whose rate nobody publishes, `*` for all: what stands here is taken, and that is said."""

    def is_about(self, names: Iterable[str]) -> bool:
        """Whether it is about a model that goes by these names, in lower case."""
        return any(_matches(name, self.models) and not _matches(name, self.but) for name in names)

    def is_for(self, terms: Mapping[str, str]) -> bool:
        """Whether the factor, or the price, is for one of these terms."""
        value = terms.get(self.when[0])
        return value is not None and _matches(value.lower(), self.when[1])

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def contends_with(self, other: "Fact") -> bool:
        """Whether both would say the same thing of one model, by what their names show."""
        same = self.kind == other.kind and self.start < other.end and other.start < self.end
        one_term = self.when[0] == other.when[0] and bool(set(self.when[1]) & set(other.when[1]))
        if not same or not (one_term or self.when == other.when):
            return False
        if self.kind in ("rate", "share") and not (
            self.rates.keys() & other.rates.keys() or self.shares.keys() & other.shares.keys()
        ):
            return False
        if self.kind == "differs" and not self.than & other.than:
            return False
        if self.kind == "settled" and not self.units & other.units:
            return False
        both = {*self.models, *other.models}
        shown = both | {name.removesuffix("*") for name in both}
        return any(self.is_about([name]) and other.is_about([name]) for name in shown)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def facts_of(where: str, provider: str, content: Mapping[str, Any]) -> list[Fact]:
    """The facts of one file, as TOML reads it.

    Raises:
        ValueError: malformed, or two that overlap, or one about no model there is; the facts and the field are named.
    """
    sold_by = find_provider(provider)
    if sold_by is None:
        raise ValueError(f"{where}: no provider is called {provider!r}")
    unknown = content.keys() - KINDS.keys()
    if unknown:
        raise ValueError(f"{where}: {min(unknown)} is no kind of fact; known: {', '.join(KINDS)}")
    if wrong := [kind for kind, tables in content.items() if not isinstance(tables, list)]:
        raise ValueError(f"{where}: {wrong[0]} is not a list of tables; write [[{wrong[0]}]]")
    facts = [
        _fact(kind, f"{where} [[{kind}]] number {number}", provider, table)
        for kind in KINDS
        for number, table in enumerate(content.get(kind, []), start=1)
    ]
    sellers = [sold_by, *filter(None, map(find_provider, sold_by.fallback_model_providers or ()))]
    listed = [model.id.lower() for each in sellers for model in each.models]
    for fact in facts:
        is_sold = any(fact.is_about([name]) for name in listed) or any(map(sold_by.find_model, fact.models))
        if fact.kind not in OF_ANY_MODEL and not is_sold:
            raise ValueError(f"{fact.label}: {provider} sells no model called {', '.join(fact.models)}")
    for one, two in combinations(facts, 2):
        if one.contends_with(two):
            raise ValueError(f"{one.label} and {two.label} overlap: both are about {', '.join(two.models)}")
    return facts


def _fact(kind: str, label: str, provider: str, table: Mapping[str, Any]) -> Fact:
    unknown = table.keys() - COMMON - KINDS[kind]
    if unknown:
        raise ValueError(f"{label}: unknown field {min(unknown)}")
    optional = {"peak", "open", *({"when"} if kind == "price" else ()), *({"units"} if kind == "factor" else ())}
    needed = {"models", "source", "read", *KINDS[kind], *({"why"} if kind == "differs" else ())}
    if missing := needed - optional - table.keys():
        raise ValueError(f"{label}: {min(missing)} is missing")
    start, end = dates_of(label, table)
    read_on = table["read"]
    if type(read_on) is not date:
        raise ValueError(f"{label}: read ({read_on}) is not a date")
    rates = rates_of(label, table["rates"]) if "rates" in table else {}
    if kind == "price":
        try:
            card_of_rates(provider, "*", rates)
        except ValueError as error:
            raise ValueError(f"{label}: {error}") from None
    return Fact(
        kind=kind,
        label=label,
        models=_names(label, "models", table["models"]),
        but=_names(label, "except", table.get("except", [])),
        start=start,
        end=end,
        source=text_of(label, table, "source"),
        read=read_on,
        why=table.get("why"),
        rates=rates,
        seller=_seller(label, table) if kind == "resold" else "",
        than=frozenset(_names(label, "than", table.get("than", []))),
        shares=_shares(label, table["shares"]) if kind == "share" else {},
        peak=_peak(label, table["peak"]) if "peak" in table else None,
        when=_when(label, table["when"]) if "when" in table else ("", ()),
        factors=_factors(label, table) if kind == "factor" else {},
        units=frozenset(_names(label, "units", table.get("units", []))) if kind == "settled" else frozenset(),
        open=frozenset(_names(label, "open", table.get("open", []))),
    )


def _seller(label: str, table: Mapping[str, Any]) -> str:
    seller = text_of(label, table, "seller")
    if find_provider(seller) is None:
        raise ValueError(f"{label}: seller ({seller!r}) is no provider")
    return seller


def _shares(label: str, value: object) -> dict[str, Decimal]:
    shares = {name: share for name, share in rates_of(label, value).items() if isinstance(share, Decimal)}
    if not isinstance(value, dict) or shares.keys() != cast("dict[str, object]", value).keys():
        raise ValueError(f"{label}: shares ({value!r}) is not a table of shares by rate")
    return shares


def _names(label: str, name: str, value: object) -> tuple[str, ...]:
    texts = cast("list[object]", value) if isinstance(value, list) else [value]
    if not all(isinstance(text, str) and text for text in texts) or (name == "models" and not texts):
        raise ValueError(f"{label}: {name} ({value!r}) is not a list of names")
    if name in ("units", "open"):
        _check_units(label, name, cast("list[str]", texts))
    return tuple(str(text).lower() for text in texts)


def _check_units(label: str, name: str, units: Iterable[str]) -> None:
    if unknown := set(units) - known_units() - {"*"}:
        raise ValueError(f"{label}: {name} has no unit named {min(unknown)}")


def _when(label: str, value: object) -> tuple[str, tuple[str, ...]]:
    if not isinstance(value, dict) or len(cast("dict[str, Any]", value)) != 1:
        raise ValueError(f"{label}: when ({value!r}) is not a table of one term, e.g. {{ processing = 'batch' }}")
    ((term, values),) = cast("dict[str, Any]", value).items()
    if term not in TERMS:
        raise ValueError(f"{label}: when.{term} is no term; known: {', '.join(sorted(TERMS))}")
    return term, _names(label, f"when.{term}", values)


def _factors(label: str, table: Mapping[str, Any]) -> dict[str, Decimal]:
    units = table.get("units", {})
    if not isinstance(units, dict):
        raise ValueError(f"{label}: units ({units!r}) is not a table of factors by unit")
    given = {"*": table["factor"], **cast("dict[str, object]", units)}
    _check_units(label, "units", given)
    return {unit: amount_of(label, f"units.{unit}", factor) for unit, factor in given.items()}


def _peak(label: str, value: object) -> Peak:
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if not {"hours", "days", "factor"} <= fields.keys() <= {"hours", "days", "factor", "not_on"}:
        raise ValueError(f'{label}: peak is not {{ hours = ["01:00-04:00"], days = "mon-fri", factor = "2" }}')
    if fields["days"] not in ("mon-fri", "every"):
        raise ValueError(f"{label}: peak.days ({fields['days']!r}) is neither mon-fri nor every")
    try:
        hours = tuple(tuple(time.fromisoformat(part) for part in span.split("-")) for span in fields["hours"])
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"{label}: peak.hours ({fields['hours']!r}) are not like 01:00-04:00") from None
    if not hours or not all(len(span) == 2 and span[0] < span[1] for span in hours):
        raise ValueError(f"{label}: peak.hours ({fields['hours']!r}) are not like 01:00-04:00")
    not_on = fields.get("not_on", [])
    if not all(type(day) is date for day in not_on):
        raise ValueError(f"{label}: peak.not_on ({not_on!r}) is not a list of dates")
    factor = decimal_of(label, "peak.factor", fields["factor"])
    return Peak(cast("tuple[tuple[time, time], ...]", hours), frozenset(not_on), fields["days"] == "every", factor)


def boundaries_of(facts: Iterable[Fact]) -> set[datetime]:
    """The instants at which a fact begins or ceases to hold."""
    ever = {datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)}
    return {instant for fact in facts for instant in (fact.start, fact.end)} - ever
