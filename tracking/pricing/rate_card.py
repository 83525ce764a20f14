"""The arithmetic of a price: what given counts cost at the rates of one card. No I/O, no clock, no catalogue.

A count is billed at the most specific rate that covers it: cached tokens at the cache's rate, the rest of the input
at the input's ("leaf" quantities). A tier is one for the whole request: strictly above its start, on total input.
Source of both rules: genai-prices `decompose.py` and `types.py`, to whose last digit the results are equal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from typing import cast

from tracking.errors import UsageError
from tracking.money import EXACT
from tracking.usage import Quantity

PRICING_CONTEXT = Context(prec=28, rounding=ROUND_HALF_EVEN)
"""The context genai-prices computes in by default, whatever the calling application has set."""

UNROUNDED = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation])
MOST_UNROUNDED = 10**PRICING_CONTEXT.prec
"""Below it a sum of whole numbers fits the context, and so does each of its parts: any order of steps gives it."""

ZERO, ONE = Decimal(0), Decimal(1)

REQUESTS = "requests"
"""The unit that counts the call itself: always one."""

REMEMBERED_BILLINGS = 1024
"""What is counted comes from outside: of how many sets of units a card remembers how it bills them."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the receipt: `quantity` units at `rate` USD per `per` units make `amount` USD."""

    unit: str
    quantity: Quantity
    rate: Decimal
    per: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Tier:
    """A rate for requests of more than `above` input tokens."""

    above: int
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """USD for `per` units, by the whole request's input tokens."""

    unit: str
    per: Decimal
    base: Decimal
    tiers: tuple[Tier, ...] = ()
    within: tuple[str, ...] = ()
    """The card's more specific units: their quantities are billed by their own rates, not by this one."""
    implied_by: tuple[frozenset[str], ...] = ()
    """Sets of counts that, all given, need this one given too: without it their parts cannot be told apart."""
    watched: frozenset[str] = frozenset()
    """Every count in `implied_by`."""

    def at(self, input_tokens: Quantity) -> Decimal:
        """The rate for a whole request of so many input tokens."""
        for tier in reversed(self.tiers):
            if input_tokens > tier.above:
                return tier.rate
        return self.base

    def check_not_implied(self, counts: Mapping[str, Quantity]) -> None:
        """Refuse counts that imply this one, which they lack."""
        for group in self.implied_by:
            if all(counts.get(unit) for unit in group):
                given = " and ".join(f"{unit} ({counts[unit]})" for unit in sorted(group))
                raise UsageError(f"{given} given without {self.unit}")


@dataclass(frozen=True, slots=True)
class Minimum:
    """Units that are one measure under several names, billed at no less than `least` where any is used."""

    units: tuple[str, ...]
    least: int

    def applied_to(self, counts: Mapping[str, Quantity]) -> Mapping[str, Quantity]:
        given = [count for unit in self.units if (count := counts.get(unit)) is not None]
        if not given:
            return counts
        used = next((count for count in given if count), 0)
        return {**counts, **dict.fromkeys(self.units, max(used, self.least) if used else 0)}


@dataclass(frozen=True, slots=True)
class _WholeRates:
    """Rates for one unit each as whole numbers of a fraction of a USD: half the work of adding up decimals."""

    rates: tuple[tuple[str, int], ...]
    usd: Decimal
    """What 1 is, such as 1E-9."""


@dataclass(frozen=True, slots=True)
class _Billing:
    """How a card bills counts of a given set of units: of a dozen rates most answers need three."""

    leaves: tuple[tuple[str, tuple[str, ...], frozenset[str], Rate], ...]
    """The most specific first: each unit, which other ones it is billed without, and what it is implied by."""
    rates: tuple[Rate, ...]
    whole: _WholeRates | None
    """The rates for one unit each; `None` where one is no finite decimal of few digits, or there is a minimum."""
    tiers: tuple[tuple[int, _WholeRates | None], ...] = ()
    """The same above so many input tokens, the highest first."""


class RateCard:
    """The rates of one model, in the order their amounts are added up."""

    __slots__ = ("_any_tier", "_billings", "_specific_first", "minimum", "rates")

    def __init__(self, rates: Iterable[Rate], minimum: Minimum | None = None) -> None:
        self.rates = tuple(rates)
        self.minimum = minimum
        self._any_tier = any(rate.tiers for rate in self.rates)
        counted = [rate for rate in self.rates if rate.unit != REQUESTS]
        self._specific_first = sorted(counted, key=lambda rate: len(rate.within))
        self._billings: dict[tuple[str, ...], _Billing] = {}

    def discounted(self, percent: Decimal, *more: Rate) -> "RateCard":
        """The card with so many percent off every rate, exactly, and `more` rates after them."""
        factor = EXACT.divide(EXACT.subtract(Decimal(100), percent), Decimal(100))
        rates = [
            replace(
                rate,
                base=EXACT.multiply(rate.base, factor),
                tiers=tuple(Tier(tier.above, EXACT.multiply(tier.rate, factor)) for tier in rate.tiers),
            )
            for rate in self.rates
        ]
        return RateCard([*rates, *more], self.minimum)

    def units_covered(self) -> frozenset[str]:
        """The units that are billed by some rate of the card, be it that of a unit they are part of."""
        return frozenset(rate.unit for rate in self.rates).union(*(rate.watched for rate in self.rates))

    def usd(self, counts: Mapping[str, Quantity]) -> Decimal:
        """What counts by unit name cost, in USD, exact to 28 digits.

        Raises:
            UsageError: a part exceeds its whole, or a count that is needed to tell parts apart is missing.
        """
        billing = self._billing(counts)
        whole = billing.whole
        if billing.tiers:
            input_tokens = counts.get("input_tokens", 0)
            whole = next((each for above, each in billing.tiers if input_tokens > above), whole)
        if whole is None:
            return self._usd_in_steps(counts)
        quantities = _leaves(billing, counts)
        total = 0
        for unit, rate in whole.rates:
            if quantity := quantities[unit]:
                if type(quantity) is not int:
                    return self._usd_in_steps(counts)
                total += rate * quantity
        return UNROUNDED.multiply(whole.usd, total) if total < MOST_UNROUNDED else self._usd_in_steps(counts)

    def _usd_in_steps(self, counts: Mapping[str, Quantity]) -> Decimal:
        """Rounded as genai-prices rounds: each product, each quotient, each sum, to 28 digits."""
        total = ZERO
        for line in self._billed(counts):
            total = PRICING_CONTEXT.add(total, line[3])
        return total

    def lines(self, counts: Mapping[str, Quantity]) -> tuple[CostLine, ...]:
        """The receipt for counts by unit name, whose amounts add up to `usd`; unused units are left out."""
        return tuple(
            CostLine(rate.unit, quantity, price, int(rate.per), amount)
            for rate, quantity, price, amount in self._billed(counts)
        )

    def _billed(self, counts: Mapping[str, Quantity]) -> list[tuple[Rate, Quantity, Decimal, Decimal]]:
        if self.minimum:
            counts = self.minimum.applied_to(counts)
        billing = self._billing(counts)
        quantities = _leaves(billing, counts)
        # A tiered card has a rate for the input, so that `_leaves` has refused counts without it.
        input_tokens = counts.get("input_tokens", 0) if self._any_tier else 0
        billed: list[tuple[Rate, Quantity, Decimal, Decimal]] = []
        for rate in billing.rates:
            quantity = quantities[rate.unit]
            if quantity:
                price = rate.at(input_tokens) if rate.tiers else rate.base
                times = PRICING_CONTEXT.multiply(price, Decimal(quantity))
                billed.append((rate, quantity, price, PRICING_CONTEXT.divide(times, rate.per)))
        return billed

    def _billing(self, counts: Mapping[str, Quantity]) -> _Billing:
        units = tuple(counts)
        billing = self._billings.get(units)
        if billing is None:
            if len(self._billings) >= REMEMBERED_BILLINGS:
                self._billings.clear()
            billing = self._billings[units] = self._billing_of(units)
        return billing

    def _billing_of(self, units: tuple[str, ...]) -> _Billing:
        billed = {REQUESTS}
        leaves: list[tuple[str, tuple[str, ...], frozenset[str], Rate]] = []
        for rate in self._specific_first:
            within = tuple(part for part in rate.within if part in billed)
            if rate.unit in units or within or not rate.watched.isdisjoint(units):
                billed.add(rate.unit)
                leaves.append((rate.unit, within, rate.watched, rate))
        rates = tuple(rate for rate in self.rates if rate.unit in billed)
        if self.minimum:
            return _Billing(tuple(leaves), rates, None)
        starts = sorted({tier.above for rate in rates for tier in rate.tiers}, reverse=True)
        tiers = tuple((above, _in_whole_numbers(rates, above + 1)) for above in starts)
        return _Billing(tuple(leaves), rates, _in_whole_numbers(rates, 0), tiers)


def _leaves(billing: _Billing, counts: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Each unit's quantity without what the card's more specific units bill."""
    leaves: dict[str, Quantity] = {REQUESTS: 1}
    for unit, within, watched, rate in billing.leaves:
        leaf = counts.get(unit)
        if leaf is None:
            if not watched.isdisjoint(counts):
                rate.check_not_implied(counts)
            leaf = 0
        for part in within:
            if part_leaf := leaves[part]:
                both_whole = type(leaf) is int and type(part_leaf) is int
                leaf = leaf - part_leaf if both_whole else _difference(leaf, part_leaf)
        if leaf < 0:
            raise UsageError(_exceeding(rate, counts, leaf))
        leaves[unit] = leaf
    return leaves


def _in_whole_numbers(rates: Sequence[Rate], input_tokens: int) -> _WholeRates | None:
    try:
        usd = [UNROUNDED.divide(rate.at(input_tokens), rate.per).normalize(UNROUNDED) for rate in rates]
    except Inexact:
        return None
    places = max([0, *(-cast(int, each.as_tuple().exponent) for each in usd)])
    whole = tuple((rate.unit, int(EXACT.scaleb(each, places))) for rate, each in zip(rates, usd, strict=True))
    return _WholeRates(whole, ONE.scaleb(-places, UNROUNDED))


def _difference(whole: Quantity, part: Quantity) -> Quantity:
    return EXACT.subtract(Decimal(whole), Decimal(part))


def _exceeding(rate: Rate, counts: Mapping[str, Quantity], leaf: Quantity) -> str:
    whole = counts.get(rate.unit, 0)
    parts = {part: count for part in rate.within if (count := counts.get(part))}
    for part, count in parts.items():
        if count > whole:
            return f"{part} ({count}) exceeds {rate.unit} ({whole})"
    named = " + ".join(f"{part} ({count})" for part, count in parts.items())
    return f"{named} exceeds {rate.unit} ({whole}) by {-leaf}"
