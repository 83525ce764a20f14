"""Fields of a TOML entry: exact amounts, rates, dates, texts; errors name the entry, the field and its value.

Every reader raises `ValueError`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from tracking.pricing.sources.compiled_rates import GivenRate, rate_names

MAX_DIGITS = 28
MAGNITUDES = range(-28, 12)
"""Powers of ten: beyond them no amount means anything, and arithmetic ends in an overflow."""
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


def rates_of(label: str, rates: object) -> dict[str, GivenRate]:
    """A table of rates by their names, e.g. `{ input_mtok = "0.80" }`."""
    if not isinstance(rates, dict) or not rates:
        raise ValueError(f"{label}: rates is not a table of rates")
    named = cast("dict[str, object]", rates)
    unknown = named.keys() - rate_names()
    if unknown:
        raise ValueError(f"{label}: unknown rate {min(unknown)}; e.g. input_mtok is USD for a million input tokens")
    return {name: _rate(label, f"rates.{name}", amount) for name, amount in named.items()}


def _rate(label: str, name: str, value: object) -> GivenRate:
    """An amount, or one by input tokens: `{ base = "2.5", tiers = [{ start = 272000, price = "5" }] }`."""
    if not isinstance(value, dict):
        return amount_of(label, name, value)
    fields = cast("dict[str, Any]", value)
    tiers = fields.get("tiers")
    if fields.keys() != {"base", "tiers"} or not isinstance(tiers, list) or not tiers:
        raise ValueError(f"{label}: {name} is not {{ base = …, tiers = [{{ start = …, price = … }}] }}")
    return amount_of(label, f"{name}.base", fields["base"]), tuple(_tiers(label, name, cast("list[Any]", tiers)))


def _tiers(label: str, name: str, tiers: list[Any]) -> Iterator[tuple[int, Decimal]]:
    least = 0
    for each in tiers:
        tier = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        start = tier["start"] if tier.keys() == {"start", "price"} else None
        if type(start) is not int or start <= least:
            raise ValueError(f"{label}: {name}.tiers: start ({start!r}) is not a number of tokens above {least}")
        least = start
        yield start, amount_of(label, f"{name}.tiers.price", tier["price"])


def text_of(label: str, table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{label}: {name} ({value!r}) is missing or not a text")
    return value


def dates_of(label: str, table: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """From when on, and until when, an entry holds: to the end of a `to` that is a date, or up to an instant."""
    start, end = instant_of(label, table, "from", BEGINNING), instant_of(label, table, "to", END)
    if table.get("to") is not None and not isinstance(table["to"], datetime):
        end = END if END - end < timedelta(days=1) else end + timedelta(days=1)
    if start >= end:
        raise ValueError(f"{label}: to ({table.get('to')}) is before from ({table.get('from')})")
    return start, end


def instant_of(label: str, table: Mapping[str, Any], name: str, default: datetime) -> datetime:
    value = table.get(name)
    if value is None:
        return default
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{label}: {name} ({value}) is out of range in UTC") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, datetime.min.time(), UTC)
    raise ValueError(f"{label}: {name} ({value}) is neither a date nor an instant with a time zone")


def amount_of(label: str, name: str, value: object) -> Decimal:
    """An exact, non-negative decimal of at most 28 digits."""
    amount = decimal_of(label, name, value)
    if amount < 0:
        raise ValueError(f"{label}: {name} ({value}) is negative")
    return amount


def decimal_of(label: str, name: str, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{label}: {name} ({value!r}) is not a number")
    try:
        amount = Decimal(value)
    except ArithmeticError:
        raise ValueError(f"{label}: {name} ({value!r}) is not a number") from None
    if not amount.is_finite():
        raise ValueError(f"{label}: {name} ({value}) is not finite")
    if len(amount.as_tuple().digits) > MAX_DIGITS:
        raise ValueError(f"{label}: {name} ({value}) has more than {MAX_DIGITS} digits")
    if amount and amount.adjusted() not in MAGNITUDES:
        raise ValueError(f"{label}: {name} ({value}) is not between 1e{MAGNITUDES.start} and 1e{MAGNITUDES.stop}")
    return amount
