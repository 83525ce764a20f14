"""One model as one provider sells it: its price at an instant, on the terms that a call was served under."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from copy import copy
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from tracking.assumptions import Assumption, assumption
from tracking.pricing.compiled_rates import compile_rates
from tracking.pricing.price import Price
from tracking.providers import snapshot
from tracking.terms import implied_by, unmet_terms

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, Provider

SOURCE = "genai-prices"
REMEMBERED_PRICES = 1024
"""Terms come from outside: how many prices of one model are kept at most."""

Pairs = tuple[tuple[str, str], ...]


@cache
def source_version() -> str:
    return version(SOURCE)


class CataloguedModel:
    """One model of genai-prices as one provider sells it; its prices are compiled when first asked for."""

    def __init__(self, provider: "Provider", model: "ModelInfo") -> None:
        self._provider = provider
        self._model = model
        self._own = any(model is listed for listed in provider.models)
        # Variants belong to the provider that lists the model; one sold from another's list has none (genai-prices).
        self._variants = (model.price_variants or []) if self._own else []
        constraints = [variant.constraint for variant in self._variants]
        if isinstance(model.prices, list):
            constraints += [conditional.constraint for conditional in model.prices]
        self.change_dates, self.change_times = _boundaries(constraints)
        """The UTC dates, and the UTC times of day, from which another price may be in force."""
        self._prices: dict[tuple[object, ...], Price] = {}

    def price(self, at: datetime, terms: Mapping[str, str]) -> Price:
        """The price in force at `at`, a UTC instant. Between two boundaries it is always the same one."""
        date_index = bisect_right(self.change_dates, at.date()) if self.change_dates else 0
        time_index = bisect_right(self.change_times, at.time()) if self.change_times else 0
        key = (date_index, time_index, *terms.items()) if terms else (date_index, time_index)
        price = self._prices.get(key)
        if price is None:
            if len(self._prices) >= REMEMBERED_PRICES:
                self._prices.clear()
            price = self._prices[key] = self._compiled(at, terms)
        return price

    def _compiled(self, at: datetime, terms: Mapping[str, str]) -> Price:
        known = {pair for variant in self._variants for pair in variant.when.items()}
        context = {term: value for term, value in terms.items() if (term, value) in known}
        rates = self._model.get_prices(at, context or None) if self._own else self._model.get_prices(at)
        assumed = [*self._borrowed(), *self._before_its_start(at)]
        met = {pair for variant in self._variants if _is_active(variant, at) for pair in variant.when.items()}
        for term, value in unmet_terms(terms, met):
            later = self._later_variant({term: value, **implied_by(term, value)}, terms, at)
            if later is None:
                assumed.append(assumption("standard_rate_for", f"{term}={value}"))
            else:
                start, variant = later
                rates = _with_rates(rates, variant.prices)
                assumed.append(assumption("rate_before_its_start", start.isoformat()))
        card = compile_rates(self._provider.id, self._model.id, rates)
        return Price(
            SOURCE, source_version(), self._provider.id, self._model.id, context, card, assumptions=tuple(assumed)
        )

    def _borrowed(self) -> list[Assumption]:
        """A model that the provider does not list itself is priced as another seller's."""
        if self._own:
            return []
        lists = (other.id for other in snapshot().providers if any(self._model is model for model in other.models))
        return [assumption("other_sellers_price", next(lists, "unknown"))]

    def _before_its_start(self, at: datetime) -> list[Assumption]:
        """Where every price starts later, the first one is taken (genai-prices)."""
        if not isinstance(self._model.prices, list):
            return []
        starts = [_start(conditional.constraint) for conditional in self._model.prices]
        later = [start for start in starts if start is not None and start > at.date()]
        return [assumption("rate_before_its_start", later[0].isoformat())] if len(later) == len(starts) else []

    def _later_variant(
        self, term: Mapping[str, str], terms: Mapping[str, str], at: datetime
    ) -> "tuple[date, PriceVariant] | None":
        """The first variant of a term that comes into force after `at`, and when it does."""
        of_term = [
            (start, variant)
            for variant in self._variants
            if (start := _start(variant.constraint)) is not None and start > at.date()
            if variant.when.items() <= terms.items() and not variant.when.items().isdisjoint(term.items())
        ]
        return min(of_term, key=lambda found: found[0], default=None)


def _with_rates(rates: "ModelPrice", more: "ModelPrice") -> "ModelPrice":
    """The rates with `more` in place of their own."""
    together = copy(rates)
    vars(together).update({name: rate for name, rate in vars(more).items() if rate is not None})
    return together


def _is_active(variant: "PriceVariant", at: datetime) -> bool:
    return variant.constraint is None or variant.constraint.active(at)


def _start(constraint: object) -> date | None:
    from genai_prices.types import StartDateConstraint

    return constraint.start_date if isinstance(constraint, StartDateConstraint) else None


def _boundaries(constraints: Iterable[object]) -> tuple[list[date], list[time]]:
    """The dates, and the UTC times of day, on which another price may come into force."""
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    dates: set[date] = set()
    times: set[time] = set()
    for constraint in constraints:
        if isinstance(constraint, StartDateConstraint):
            dates.add(constraint.start_date)
        elif isinstance(constraint, TimeOfDateConstraint):
            times |= {_utc_time(constraint.start_time), _utc_time(constraint.end_time)}
        elif constraint is not None:
            raise TypeError(f"a price constraint of type {type(constraint).__name__} is not known")
    return sorted(dates), sorted(times)


def _utc_time(moment: time) -> time:
    """A time of day in UTC; one without a zone is UTC already (genai-prices)."""
    if moment.tzinfo is None:
        return moment
    return datetime.combine(date(1970, 1, 1), moment).astimezone(UTC).time()
