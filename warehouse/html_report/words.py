"""Figures as a person reads them. The page says the exact amount beside each rounded one."""

from datetime import date, datetime
from decimal import Decimal

UNKNOWN = "–"


def usd(value: Decimal | float | None) -> str:
    """Cents, or below a dollar three digits that say something; what is not known is no zero."""
    if value is None:
        return UNKNOWN
    amount = Decimal(str(value))
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if size == 0 or size >= 1:
        return f"{sign}${size:,.2f}"
    places = 2 - size.adjusted()
    return f"{sign}${size:.{places}f}"


def exactly(value: Decimal | None) -> str:
    """Every digit of an amount."""
    return "no price known" if value is None else f"{value:f} USD"


def count(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def short_count(value: int) -> str:
    """Three digits of a large number: 321 million tokens are 321 M."""
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= limit:
            scaled = Decimal(value) / limit
            return f"{scaled:.{max(0, 2 - scaled.adjusted())}f} {unit}"
    return str(value)


def percent(share: float | Decimal | None) -> str:
    if share is None:
        return UNKNOWN
    return f"{share * 100:.0f} %" if share == 0 or share >= Decimal("0.0995") else f"{share * 100:.1f} %"


def seconds(milliseconds: float | None) -> str:
    if milliseconds is None:
        return UNKNOWN
    return f"{milliseconds:,.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"


def day(value: date | datetime | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value.isoformat()
