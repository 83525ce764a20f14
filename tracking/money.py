"""Money: how amounts are rounded, once, on their way into the ledger; from there on every sum is exact."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

COST_PLACES = 12
"""The ledger keeps USD as DECIMAL(18,12)."""

EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
"""Wide enough that no sum or product of prices, counts and ledger amounts is ever rounded by precision."""

MILLION = Decimal(1_000_000)
TOO_MUCH = Decimal(10) ** (18 - COST_PLACES)
_COST_UNIT = Decimal(1).scaleb(-COST_PLACES)

PricingStatus = Literal["priced", "unpriced", "estimated", "provider_reported"]


def to_cost_usd(usd: Decimal) -> Decimal:
    """USD as the ledger keeps it: rounded once, half-even, to 12 places."""
    return EXACT.quantize(usd, _COST_UNIT)


def to_micro_usd(cost_usd: Decimal) -> int:
    """Millionths of a USD, rounded half-even."""
    return round(EXACT.multiply(cost_usd, MILLION))


def as_cost_usd(value: object) -> Decimal:
    """An amount that fits the ledger's DECIMAL(18,12) as it is; a float by its shortest decimal form.

    Raises:
        ValueError: not a number, or one that would have to be rounded or cut.
    """
    if not isinstance(value, Decimal):
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"is a {type(value).__name__}, not an amount")
        try:
            value = Decimal(repr(value) if isinstance(value, float) else value)
        except ArithmeticError:
            raise ValueError("is not a number") from None
    if not value.is_finite():
        raise ValueError("is not a finite number")
    if not -TOO_MUCH < value < TOO_MUCH:
        raise ValueError(f"is not less than {TOO_MUCH:,} USD")
    if not value.same_quantum(_COST_UNIT) and value != to_cost_usd(value):
        raise ValueError(f"has more than {COST_PLACES} decimal places")
    return value


def plain_digits(amount: Decimal) -> str:
    """Every digit of an amount and no exponent; `str()` would write a small one as 1E-12.

    pydantic goes on where a signal's handler raises in a `Decimal`'s method, both as it checks its digits and as it
    writes it: of money it does neither.
    """
    return f"{amount:f}"
