"""Money: how amounts are rounded, once, on their way into the ledger; from there on every sum is exact."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

COST_PLACES = 12
"""The ledger keeps USD as DECIMAL(18,12)."""

EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
"""Wide enough that no sum or product of prices, counts and ledger amounts is ever rounded by precision."""

MILLION = Decimal(1_000_000)
_COST_UNIT = Decimal(1).scaleb(-COST_PLACES)

PricingStatus = Literal["priced", "unpriced", "estimated", "provider_reported"]


def to_cost_usd(usd: Decimal) -> Decimal:
    """USD as the ledger keeps it: rounded once, half-even, to 12 places."""
    return usd.quantize(_COST_UNIT, context=EXACT)


def to_micro_usd(cost_usd: Decimal) -> int:
    """Millionths of a USD, rounded half-even."""
    return round(EXACT.multiply(cost_usd, MILLION))
