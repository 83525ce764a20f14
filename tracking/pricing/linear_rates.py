"""A rate card as sums of whole numbers: what makes it possible to price a column of counts at once.

Wherever the counts are consistent (`SUBSETS`), what a card bills is linear in them: one integer per count and tier,
at a common power of ten. Where that could differ from the card's own arithmetic by as much as a digit, `linear`
says so, and the card itself is asked row by row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tracking.money import COST_PLACES
from tracking.pricing.rate_card import PRICING_CONTEXT, REQUESTS, Rate, RateCard
from tracking.usage import CATALOGUE_UNIT, MAX_COUNT, SUBSETS, TOKEN_COUNTS

MOST_PLACES = 30
"""Amounts at 10^-30 USD stay below 10^36: sums of them never leave 128 bits."""
MOST_PICOS = 10**18 - 1
"""The most that DECIMAL(18,12) holds, in units of its last place."""

COLUMN_OF = {CATALOGUE_UNIT.get(name, name): name for name in TOKEN_COUNTS}
"""The ledger's count of a catalogue unit; the other units have no column of their own."""

Vector = Mapping[str, int]
"""Whole factors by count."""


@dataclass(frozen=True, slots=True)
class LinearRates:
    """A request costs `per_request` plus each count times its factor, in units of 10^-`places` USD."""

    places: int
    per_request: int
    factors: Vector
    most: int
    """Counts up to this are exact here: within 28 digits, and within the ledger's DECIMAL(18,12). Below 0: none."""

    def at_places(self, places: int) -> tuple[int, Vector]:
        """`per_request` and the factors in units of 10^-`places` USD."""
        scale = 10 ** (places - self.places)
        return self.per_request * scale, {name: factor * scale for name, factor in self.factors.items()}


@dataclass(frozen=True, slots=True)
class LinearCard:
    """`levels[n]` are the rates of a request whose input tokens are above exactly `n` of the starts in `above`."""

    above: tuple[int, ...]
    levels: tuple[LinearRates, ...]


NEVER = LinearRates(COST_PLACES, 0, {}, -1)
"""Exact for no counts at all."""

NOT_LINEAR = LinearCard((), (NEVER,))


def linear(card: RateCard) -> LinearCard:
    """The card as sums of whole numbers, `NOT_LINEAR` where it is none."""
    if card.minimum is not None and any(unit in COLUMN_OF for unit in card.minimum.units):
        return NOT_LINEAR
    try:
        billed = _billed_quantities(card)
        above = tuple(sorted({tier.above for rate, _ in billed for tier in rate.tiers}))
        levels = [_rates_at(billed, lambda rate: rate.base)]
        levels += [_rates_at(billed, lambda rate, start=start: rate.at(start + 1)) for start in above]
    except _NotLinearError:
        return NOT_LINEAR
    return LinearCard(above, tuple(levels))


class _NotLinearError(Exception):
    pass


def _wholes(name: str) -> set[str]:
    """Every count that includes this one."""
    direct = {whole for parts, whole in SUBSETS if name in parts}
    return direct.union(*(_wholes(whole) for whole in direct))


KINDS = tuple({name, *_wholes(name)} for name in TOKEN_COUNTS)
"""The kinds of token: one counts in itself and in its wholes. Consistent counts are sums of these, and only they."""


def _billed_quantities(card: RateCard) -> list[tuple[Rate, Vector]]:
    """What each rate is multiplied by, as factors of the counts; `REQUESTS` is a count that is always 1."""
    leaves: dict[str, dict[str, int]] = {}
    for rate in sorted(card.rates, key=lambda rate: len(rate.within)):
        if rate.unit == REQUESTS:
            leaves[REQUESTS] = {REQUESTS: 1}
            continue
        column = COLUMN_OF.get(rate.unit)
        if REQUESTS in rate.within or any(_can_be_missed(group, column) for group in rate.implied_by):
            raise _NotLinearError
        leaf = {} if column is None else {column: 1}
        for part in rate.within:
            for name, factor in leaves[part].items():
                leaf[name] = leaf.get(name, 0) - factor
        if any(sum(leaf.get(name, 0) for name in kind) < 0 for kind in KINDS):
            raise _NotLinearError  # consistent counts could leave a negative remainder
        leaves[rate.unit] = leaf
    return [(rate, leaves[rate.unit]) for rate in card.rates if any(leaves[rate.unit].values())]


def _can_be_missed(group: frozenset[str], column: str | None) -> bool:
    """Whether consistent counts may hold all of a group without the count that it implies."""
    columns = [COLUMN_OF.get(unit) for unit in group]
    if None in columns:
        return False
    return not any(column in _wholes(name) for name in columns if name)


def _rates_at(billed: list[tuple[Rate, Vector]], price: Callable[[Rate], Decimal]) -> LinearRates:
    amounts = [(_per_unit(price(rate), rate.per), leaf) for rate, leaf in billed]
    places = max([COST_PLACES, *(-exponent for (_, exponent), _ in amounts)])
    if places > MOST_PLACES:
        raise _NotLinearError
    factors: dict[str, int] = {}
    for (digits, exponent), leaf in amounts:
        for name, times in leaf.items():
            factors[name] = factors.get(name, 0) + digits * 10 ** (places + exponent) * times
    per_request = factors.pop(REQUESTS, 0)
    limit = min(10**PRICING_CONTEXT.prec - 1, MOST_PICOS * 10 ** (places - COST_PLACES)) - per_request
    steepness = sum(abs(factor) for factor in factors.values())
    most = min(MAX_COUNT, limit // steepness) if steepness else MAX_COUNT
    return LinearRates(places, per_request, factors, most) if limit >= 0 and most else NEVER


def _per_unit(rate: Decimal, per: Decimal) -> tuple[int, int]:
    """`rate / per` exactly, as a whole number and a power of ten."""
    sign, digits, exponent = rate.as_tuple()
    zeros = len(str(int(per))) - 1
    if sign or not isinstance(exponent, int) or per != 10**zeros:
        raise _NotLinearError
    whole = int("".join(map(str, digits)))
    if not whole:
        return 0, 0
    while whole % 10 == 0:
        whole, exponent = whole // 10, exponent + 1
    return whole, exponent - zeros
