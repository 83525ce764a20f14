"""One model as one provider sells it: its price at an instant, on the terms that a call was served under."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from tracking.assumptions import Assumption, assumption
from tracking.money import EXACT
from tracking.pricing.price import Price
from tracking.pricing.rate_card import REQUESTS
from tracking.pricing.sources.compiled_rates import GivenRate, compiled, is_of_tokens, unit_of_rate
from tracking.pricing.sources.facts import Fact, boundaries_of
from tracking.pricing.sources.listing import CatalogueListing, Listing, ListPrice, scaled
from tracking.pricing.sources.supplement_files import SOURCE, facts_about, version_of
from tracking.terms import implied_by, unmet_terms

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

REMEMBERED_PRICES = 1024
"""Terms come from outside: how many prices of one model are kept at most."""


@dataclass(slots=True)
class _Draft:
    """A price as it comes together: its rates, what they rest on, and by which facts they are not the source's own."""

    rates: dict[str, GivenRate]
    context: dict[str, str]
    assumed: list[Assumption]
    doubtful: dict[str, Assumption] = field(default_factory=dict[str, Assumption])
    settled: set[str] = field(default_factory=set[str])
    facts: list[Fact] = field(default_factory=list[Fact])

    def doubt(self, units: Iterable[str]) -> None:
        """Say of units that their rates are not known to be those of the call."""
        for unit in units:
            if unit == REQUESTS:  # each call is one
                self.assumed.append(assumption("standard_rate_for", unit))
            elif unit == "*":
                self.assumed.append(assumption("standard_rate_for", "region of the model's profile"))
            else:
                self.doubtful[unit] = assumption("standard_rate_for", unit)


class CataloguedModel:
    """One model of one provider by its sources: a listing (genai-prices', say), and facts of our own."""

    def __init__(self, provider: str, llm: str, listing: Listing | None, facts: Iterable[Fact] = ()) -> None:
        self.llm = llm
        self._provider = provider
        self._listing = listing
        self._facts = tuple(facts)
        dates = listing.change_dates if listing else ()
        starts = {datetime.combine(date, time(), UTC) for date in dates} | boundaries_of(self._facts)
        self.change_instants = sorted(starts)
        """The UTC instants from which another price may be in force."""
        self._peaks = [fact.peak for fact in self._facts if fact.peak is not None]
        peak_times = {moment for peak in self._peaks for span in peak.hours for moment in span}
        self.change_times = sorted({*(listing.change_times if listing else ()), *peak_times})
        """The UTC times of day from which another price may be in force."""
        self.varies_by_day = any(not peak.every_day for peak in self._peaks)
        """Whether it also depends on the day of the week."""
        self._prices: dict[tuple[object, ...], Price] = {}

    @classmethod
    def of_catalogue(cls, provider: "Provider", model: "ModelInfo") -> "CataloguedModel":
        """A model of genai-prices as a provider sells it, and what our own facts say of it."""
        facts = [fact for fact in facts_about(provider.id) if fact.is_about([model.id.lower()])]
        return cls(provider.id, model.id, CatalogueListing(provider, model), facts)

    def boundary(self, at: datetime) -> tuple[object, ...]:
        """Between which two boundaries an instant is: all the prices of one such stretch are the same."""
        since = bisect_right(self.change_instants, at) if self.change_instants else 0
        moment = bisect_right(self.change_times, at.time()) if self.change_times else 0
        return (since, moment, *[peak.covers(at) for peak in self._peaks]) if self._peaks else (since, moment)

    def price(self, at: datetime, terms: Mapping[str, str]) -> Price:
        """The price in force at `at`, a UTC instant. Between two boundaries it is always the same one."""
        key = (*self.boundary(at), *terms.items()) if terms else self.boundary(at)
        price = self._prices.get(key)
        if price is None:
            if len(self._prices) >= REMEMBERED_PRICES:
                self._prices.clear()
            price = self._prices[key] = self._compiled(at, terms)
        return price

    def on_terms(
        self, rates: Mapping[str, GivenRate], at: datetime, terms: Mapping[str, str], met: Iterable[tuple[str, str]]
    ) -> tuple[dict[str, GivenRate], tuple[Assumption, ...], dict[str, Assumption]]:
        """Other standard rates of the model on these terms, by the factors that its own have; what is assumed there."""
        draft = _Draft(dict(rates), {}, [])
        remainder = unmet_terms(terms, frozenset(met))
        if self._listing and remainder:
            standard, special = self._listing.at(at, {}).rates, self._listing.at(at, terms)
            ratios = {name: _ratio(standard.get(name), special.rates[name]) for name in special.of_terms}
            if ratios and all(ratio is not None for ratio in ratios.values()):
                draft.rates |= {
                    name: scaled(draft.rates[name], ratio)
                    for name, ratio in ratios.items()
                    if ratio is not None and name in draft.rates
                }
                remainder = unmet_terms(dict(remainder), special.met)
        facts = [fact for fact in self._facts if fact.holds(at)]
        for term, value in remainder:
            if not self._by_factor(draft, facts, term, value):
                draft.assumed.append(assumption("standard_rate_for", f"{term}={value}"))
        return draft.rates, tuple(draft.assumed), draft.doubtful

    def _compiled(self, at: datetime, terms: Mapping[str, str]) -> Price:
        facts = [fact for fact in self._facts if fact.holds(at)]
        instead = _price_of_its_own(facts, terms)
        later = None
        if instead is None and self._listing is None:
            stated = (fact for fact in self._facts if fact.kind == "price")
            later = instead = min(stated, key=lambda fact: (bool(fact.when[0]), fact.start))
        list_price = self._listing.at(at, terms) if self._listing and not instead else ListPrice({})
        draft = _Draft(dict(list_price.rates), dict(list_price.context), list(list_price.assumed))
        if instead is not None:
            peak = instead.peak if instead.peak and instead.peak.covers(at) else None
            draft.rates = {name: scaled(rate, peak.factor) if peak else rate for name, rate in instead.rates.items()}
            draft.facts.append(instead)
            draft.doubt(instead.open)
        if later is not None:
            draft.assumed.append(assumption("rate_before_its_start", later.start.date().isoformat()))
        if list_price.is_sellers:
            draft.facts += [fact for fact in facts if fact.kind == "resold"]
        for fact in facts:
            self._add(draft, fact)
        self._rates_without_terms(draft, facts, list_price)
        on_term = instead is not None and instead.when[0]
        for term, value in unmet_terms(terms, list_price.met):
            if term == on_term:
                draft.context[term] = value
                continue
            self._on_term(draft, facts, term, value, terms, at)
        return self._price_of(draft, list_price)

    def _add(self, draft: _Draft, fact: Fact) -> None:
        """What a fact says of units that have no rate of their own, or one that is in doubt."""
        if fact.kind == "rate":
            draft.doubt(fact.open)
        if fact.kind == "rate" and (new := {name: fact.rates[name] for name in fact.rates.keys() - draft.rates.keys()}):
            draft.rates |= {name: new[name] for name in fact.rates if name in new}
            draft.facts.append(fact)
        elif fact.kind == "share" and (whole := draft.rates.get("input_mtok")) is not None:
            if missing := fact.shares.keys() - draft.rates.keys():
                draft.rates |= {name: scaled(whole, fact.shares[name]) for name in fact.shares if name in missing}
                draft.facts.append(fact)
        elif fact.kind == "settled":
            draft.settled |= fact.units

    def _rates_without_terms(self, draft: _Draft, facts: list[Fact], list_price: ListPrice) -> None:
        """Where a source has rates of tokens on some terms, but none of one unit there: by a fact, or in doubt."""
        if not any(is_of_tokens(unit_of_rate(name)) for name in list_price.of_terms):
            return
        factors = [fact for pair in list_price.context.items() if (fact := _factor_of(facts, *pair)) is not None]
        terms = ", ".join(f"{term}={value}" for term, value in list_price.context.items())
        for name in list_price.rates.keys() - list_price.of_terms:
            if not is_of_tokens(unit := unit_of_rate(name)):
                continue
            fact = next((fact for fact in factors if not fact.open & {unit, "*"}), None)
            if fact is None:
                draft.doubtful[unit] = assumption("standard_rate_for", f"{unit}, {terms}")
            elif (factor := fact.factors.get(unit, fact.factors["*"])) != 1:
                draft.rates[name] = scaled(draft.rates[name], factor)
                draft.facts.append(fact)

    def _on_term(
        self, draft: _Draft, facts: list[Fact], term: str, value: str, terms: Mapping[str, str], at: datetime
    ) -> None:
        if self._by_factor(draft, facts, term, value):
            return
        later = self._listing.later({term: value, **implied_by(term, value)}, terms, at) if self._listing else None
        if later is None or any(fact.kind == "price" for fact in draft.facts):
            draft.assumed.append(assumption("standard_rate_for", f"{term}={value}"))
        else:
            start, listed = later
            draft.rates |= listed.rates
            draft.context |= listed.context
            draft.assumed.append(assumption("rate_before_its_start", start.isoformat()))

    def _by_factor(self, draft: _Draft, facts: list[Fact], term: str, value: str) -> bool:
        """Whether a fact says by what a term multiplies the rates; then they are multiplied."""
        fact = _factor_of(facts, term, value)
        if fact is None:
            return False
        for name, rate in draft.rates.items():
            unit = unit_of_rate(name)
            factor = fact.factors.get(unit, fact.factors["*"] if is_of_tokens(unit) else None)
            if factor is not None:
                draft.rates[name] = scaled(rate, factor)
        if "*" in fact.open:
            draft.assumed.append(assumption("factor_for", f"{term}={value}"))
        for unit in fact.open - {"*"}:
            draft.doubtful[unit] = assumption("factor_for", f"{unit}, {term}={value}")
        draft.context[term] = value
        draft.facts.append(fact)
        return True

    def _price_of(self, draft: _Draft, list_price: ListPrice) -> Price:
        listing = self._listing
        by_fact_alone = listing is None or not list_price.rates
        source, version = (SOURCE, "") if listing is None else (listing.source, listing.version)
        if draft.facts:
            read = version_of(draft.facts)
            source, version = (SOURCE, read) if by_fact_alone else (f"{source}+{SOURCE}", f"{version}+{read}")
        return Price(
            source,
            version,
            self._provider,
            self.llm,
            draft.context,
            compiled(self._provider, self.llm, draft.rates),
            assumptions=tuple(draft.assumed),
            doubtful=draft.doubtful,
            settled=frozenset(draft.settled),
            facts=tuple(dict.fromkeys(fact.source for fact in draft.facts)),
        )


def _price_of_its_own(facts: Iterable[Fact], terms: Mapping[str, str]) -> Fact | None:
    """The price that a fact states: one on a term of these before one on none."""
    prices = [fact for fact in facts if fact.kind == "price" and (not fact.when[0] or fact.is_for(terms))]
    return max(prices, key=lambda fact: bool(fact.when[0]), default=None)


def _factor_of(facts: Iterable[Fact], term: str, value: str) -> Fact | None:
    """The fact that says by what a term multiplies the rates."""
    said = {term: value, **implied_by(term, value)}
    return next((fact for fact in facts if fact.kind == "factor" and fact.is_for(said)), None)


def _ratio(standard: GivenRate | None, served: GivenRate) -> Decimal | None:
    base = standard if isinstance(standard, Decimal) else standard[0] if standard else None
    on_terms = served if isinstance(served, Decimal) else served[0]
    return EXACT.divide(on_terms, base) if base else None
