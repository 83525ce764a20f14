"""`prices.toml` in the home: own models, negotiated discounts and per-request fees, dated, never edited in place.

Amounts are exact decimals, whether they are written as text or as numbers. A `[[price]]` replaces what the catalogue
says of a model; a `[[discount]]` and a `[[fee]]` apply to what then stands.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any, cast

from tracking.errors import LedgerError
from tracking.pricing.compiled_rates import card_of_rates, rate_names
from tracking.pricing.price import Price
from tracking.pricing.rate_card import REQUESTS, Rate

SOURCE = "prices.toml"
MAX_DIGITS = 28
SCOPE_FIELDS = frozenset({"provider", "model", "from", "to"})
VALUE_FIELDS = {"price": "rates", "discount": "percent", "fee": "usd_per_request"}
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One dated entry: about one model, or all of a provider's, from an instant up to but not including another."""

    label: str
    """Where it stands, e.g. `[[discount]] number 2`."""
    provider: str
    model: str | None
    start: datetime
    end: datetime
    value: Any
    """A rate card, or an exact decimal: percent, or USD per request."""

    def covers(self, provider: str, model: str | None, at: datetime) -> bool:
        named = self.model is None or self.model == model
        return self.provider == provider and named and self.start <= at < self.end

    def overlaps(self, other: "Entry") -> bool:
        same = (self.provider, self.model) == (other.provider, other.model)
        return same and self.start < other.end and other.start < self.end


class PriceOverrides:
    """What one `prices.toml` says; nothing where there is no file."""

    def __init__(self, entries: Mapping[str, list[Entry]] | None = None) -> None:
        self._entries = {kind: [] for kind in VALUE_FIELDS} | dict(entries or {})
        self.is_empty = not any(self._entries.values())
        self._adjusted: dict[tuple[Price, str | None, str | None], Price] = {}

    @classmethod
    def load(cls, path: Path) -> "PriceOverrides":
        """Read the file, if there is one.

        Raises:
            LedgerError: malformed; the entry, the field and its value are named, of overlapping entries both.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        except FileNotFoundError:
            return cls()
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LedgerError(f"{path} is not valid TOML: {error}") from error
        except OSError as error:
            raise LedgerError(f"{path} cannot be read: {error.strerror}") from error
        unknown = content.keys() - VALUE_FIELDS.keys()
        if unknown:
            raise LedgerError(f"{path}: {min(unknown)} is no kind of entry; known: {', '.join(VALUE_FIELDS)}")
        try:
            return cls({kind: _entries(kind, content.get(kind, [])) for kind in VALUE_FIELDS})
        except ValueError as error:
            raise LedgerError(f"{path}: {error}") from None

    def apply(self, provider: str, model: str | None, at: datetime, catalogued: Callable[[], Price]) -> Price:
        """The price of a model at a UTC instant: the catalogue's, unless an entry says otherwise."""
        own = self._entry("price", provider, model, at)
        base = own.value if own else catalogued()
        discount = self._entry("discount", provider, model, at)
        fee = self._entry("fee", provider, model, at)
        if discount is None and fee is None:
            return base
        key = (base, discount and discount.label, fee and fee.label)
        if key not in self._adjusted:
            self._adjusted[key] = _adjusted(base, discount, fee)
        return self._adjusted[key]

    def changes(self, provider: str, model: str | None) -> set[datetime]:
        """The instants from which an entry about the model begins or ends to apply."""
        about = [entry for entries in self._entries.values() for entry in entries if entry.provider == provider]
        return {instant for entry in about if entry.model in (None, model) for instant in (entry.start, entry.end)}

    def _entry(self, kind: str, provider: str, model: str | None, at: datetime) -> Entry | None:
        """The entry in force; one about the model itself before one about all of its provider's."""
        covering = [entry for entry in self._entries[kind] if entry.covers(provider, model, at)]
        return min(covering, key=lambda entry: entry.model is None, default=None)


def _adjusted(base: Price, discount: Entry | None, fee: Entry | None) -> Price:
    percent = Decimal(0) if discount is None else discount.value
    fees = [] if fee is None else [Rate(REQUESTS, Decimal(1), fee.value)]
    context = dict(base.context) if discount is None else {**base.context, "discount_percent": str(percent)}
    source = base.source if base.source == SOURCE else f"{base.source}+{SOURCE}"
    card = base.card.discounted(percent, *fees)
    return Price(source, base.version, base.provider, base.llm, context, card, base.assumptions, base.doubtful)


def _entries(kind: str, tables: object) -> list[Entry]:
    if not isinstance(tables, list):
        raise ValueError(f"{kind} is not a list of tables; write [[{kind}]]")
    entries = [
        _entry(kind, f"[[{kind}]] number {number}", cast("dict[str, Any]", table))
        for number, table in enumerate(cast("list[Any]", tables), start=1)
    ]
    for one, two in combinations(entries, 2):
        if one.overlaps(two):
            raise ValueError(f"{one.label} and {two.label} overlap: both are about {two.provider} {two.model or '*'}")
    return entries


def _entry(kind: str, label: str, table: Mapping[str, Any]) -> Entry:
    value_field = VALUE_FIELDS[kind]
    unknown = table.keys() - SCOPE_FIELDS - {value_field}
    if unknown:
        raise ValueError(f"{label}: unknown field {min(unknown)}")
    provider = _text(label, table, "provider")
    model = _text(label, table, "model") if kind == "price" or "model" in table else None
    start, end = _instant(label, table, "from", BEGINNING), _instant(label, table, "to", END)
    if start >= end:
        raise ValueError(f"{label}: from ({table.get('from')}) is not before to ({table.get('to')})")
    if value_field not in table:
        raise ValueError(f"{label}: {value_field} is missing")
    given = table[value_field]
    if kind == "price":
        value: Any = _own_price(label, provider, cast(str, model), given)
    else:
        value = _amount(label, value_field, given)
        if kind == "discount" and value > 100:
            raise ValueError(f"{label}: percent ({value}) is more than 100")
    return Entry(label, provider, model, start, end, value)


def _own_price(label: str, provider: str, model: str, rates: object) -> Price:
    if not isinstance(rates, dict) or not rates:
        raise ValueError(f"{label}: rates is not a table of rates")
    named = cast("dict[str, object]", rates)
    unknown = named.keys() - rate_names()
    if unknown:
        raise ValueError(f"{label}: unknown rate {min(unknown)}; e.g. input_mtok is USD for a million input tokens")
    amounts = {name: _amount(label, f"rates.{name}", amount) for name, amount in named.items()}
    try:
        card = card_of_rates(provider, model, amounts)
    except ValueError as error:
        raise ValueError(f"{label}: {error}") from None
    return Price(SOURCE, "1", provider, model, {}, card)


def _text(label: str, table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{label}: {name} ({value!r}) is missing or not a text")
    return value


def _instant(label: str, table: Mapping[str, Any], name: str, default: datetime) -> datetime:
    value = table.get(name)
    if value is None:
        return default
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, datetime.min.time(), UTC)
    raise ValueError(f"{label}: {name} ({value}) is neither a date nor an instant with a time zone")


def _amount(label: str, name: str, value: object) -> Decimal:
    """An exact, non-negative decimal of at most 28 digits."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{label}: {name} ({value!r}) is not a number")
    try:
        amount = Decimal(value)
    except ArithmeticError:
        raise ValueError(f"{label}: {name} ({value!r}) is not a number") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{label}: {name} ({value}) is negative or not finite")
    if len(amount.as_tuple().digits) > MAX_DIGITS:
        raise ValueError(f"{label}: {name} ({value}) has more than {MAX_DIGITS} digits")
    return amount
