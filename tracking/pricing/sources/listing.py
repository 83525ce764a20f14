"""What one source of prices lists for a model: its rates at an instant, and on which terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

from tracking.assumptions import Assumption, assumption
from tracking.money import EXACT
from tracking.pricing.sources.compiled_rates import GivenRate, given_rates
from tracking.providers import snapshot

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

Pair = tuple[str, str]

SOURCE = "genai-prices"


@cache
def source_version() -> str:
    return version(SOURCE)


@dataclass(slots=True)
class ListPrice:
    """Rates by their names, and what of the terms asked for they are on."""

    rates: dict[str, GivenRate]
    met: frozenset[Pair] = frozenset()
    context: Mapping[str, str] = field(default_factory=dict[str, str])
    """The terms that the source has rates for."""
    of_terms: frozenset[str] = frozenset()
    """The rates that are there because of the terms."""
    assumed: Sequence[Assumption] = ()
    is_sellers: bool = False
    """Whether it is from the list of whom the model is bought from."""


class Listing(Protocol):
    """One model in one source of prices."""

    source: str
    version: str
    llm: str

    @property
    def change_dates(self) -> Sequence[date]:
        """The UTC dates from which another price may be in force."""
        ...

    @property
    def change_times(self) -> Sequence[time]:
        """The UTC times of day from which another price may be in force."""
        ...

    def at(self, at: datetime, terms: Mapping[str, str]) -> ListPrice:
        """What the source lists at a UTC instant."""
        ...

    def later(self, term: Mapping[str, str], terms: Mapping[str, str], at: datetime) -> tuple[date, ListPrice] | None:
        """The rates of a term that the source has from a later day on, and that day."""
        ...


class CatalogueListing:
    """One model of genai-prices as one provider sells it."""

    source = SOURCE

    def __init__(self, provider: "Provider", model: "ModelInfo") -> None:
        self.version = source_version()
        self.llm = model.id
        self._model = model
        self.is_own = any(model is listed for listed in provider.models)
        # Variants belong to the provider that lists the model; one sold from another's list has none (genai-prices).
        self._variants = (model.price_variants or []) if self.is_own else []
        constraints: list[object] = [variant.constraint for variant in self._variants]
        if isinstance(model.prices, list):
            constraints += [conditional.constraint for conditional in model.prices]
        self.change_dates, self.change_times = _boundaries(constraints)

    def at(self, at: datetime, terms: Mapping[str, str]) -> ListPrice:
        known = {pair for variant in self._variants for pair in variant.when.items()}
        context = {term: value for term, value in terms.items() if (term, value) in known}
        active = [variant for variant in self._variants if variant.constraint is None or variant.constraint.active(at)]
        variants = [variant for variant in active if variant.when.items() <= context.items()]
        return ListPrice(
            given_rates(self._model.get_prices(at, (context or None) if self.is_own else None)),
            met=frozenset(pair for variant in active for pair in variant.when.items()),
            context=context,
            of_terms=frozenset(name for variant in variants for name in given_rates(variant.prices)),
            assumed=[*self._borrowed(), *self._before_its_start(at)],
        )

    def later(self, term: Mapping[str, str], terms: Mapping[str, str], at: datetime) -> tuple[date, ListPrice] | None:
        of_term = [
            (start, variant)
            for variant in self._variants
            if (start := _start(variant.constraint)) is not None and start > at.date()
            if variant.when.items() <= terms.items() and not variant.when.items().isdisjoint(term.items())
        ]
        if not of_term:
            return None
        start, variant = min(of_term, key=lambda found: found[0])
        return start, ListPrice(given_rates(variant.prices), context=dict(variant.when))

    def _borrowed(self) -> list[Assumption]:
        """A model that the provider does not list itself is priced as another seller's."""
        if self.is_own:
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


class ResoldListing:
    """A model that is sold on at the price of the seller it is bought from, by the lists of both.

    The list of who sells it on knows its prices of late; the seller's knows when they changed. Where the seller's price
    of an instant is not the one it had when the other list was last seen as it is, only the seller's can be right.
    """

    source = SOURCE

    def __init__(self, own: CatalogueListing | None, sellers: CatalogueListing, last_seen: date) -> None:
        """`last_seen` is the day until which the list of who sells it on was kept."""
        self._own = own
        self._sellers = sellers
        self._last_seen = last_seen
        self.version = sellers.version
        self.llm = (own or sellers).llm
        self.change_dates = sorted({*(own.change_dates if own else ()), *sellers.change_dates})
        self.change_times = sorted({*(own.change_times if own else ()), *sellers.change_times})

    def at(self, at: datetime, terms: Mapping[str, str]) -> ListPrice:
        if self._own is not None and not self._was_another(self._own, at):
            return self._own.at(at, terms)
        return replace(self._sellers.at(at, terms), is_sellers=True)

    def later(self, term: Mapping[str, str], terms: Mapping[str, str], at: datetime) -> tuple[date, ListPrice] | None:
        return self._sellers.later(term, terms, at)

    def _was_another(self, own: CatalogueListing, at: datetime) -> bool:
        """Whether the seller changed its price between an instant and when our list's entry for it was last seen."""
        until = next((day for day in own.change_dates if day > at.date()), self._last_seen)
        changes = [day for day in self._sellers.change_dates if at.date() < day < until]
        then = self._sellers.at(at, {}).rates
        return any(self._sellers.at(datetime.combine(day, at.timetz()), {}).rates != then for day in changes)


def _start(constraint: object) -> date | None:
    from genai_prices.types import StartDateConstraint

    return constraint.start_date if isinstance(constraint, StartDateConstraint) else None


def _boundaries(constraints: Sequence[object]) -> tuple[list[date], list[time]]:
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


def scaled(rate: GivenRate, factor: Decimal) -> GivenRate:
    """A rate times a factor, exactly, its tiers too."""
    if isinstance(rate, Decimal):
        return EXACT.multiply(rate, factor)
    base, tiers = rate
    return EXACT.multiply(base, factor), tuple((start, EXACT.multiply(price, factor)) for start, price in tiers)
