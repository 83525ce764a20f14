"""What each model has cost since when: the catalogue and `prices.toml` as one dated list, `ledger.models`."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

import duckdb

from tracking.errors import UnknownModelError
from tracking.home import Home
from tracking.money import EXACT
from tracking.pricing.price import Price
from tracking.pricing.rate_card import REQUESTS, Rate
from tracking.pricing.sources import catalogue
from tracking.pricing.sources.catalogued_model import CataloguedModel
from tracking.pricing.sources.overrides import PriceOverrides
from warehouse.database import create_table
from warehouse.source_code import code_hash

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""From when a price holds that nobody dated."""

NEVER = datetime.max.replace(tzinfo=UTC)
MILLION = Decimal(1_000_000)
PLACES = Decimal("1e-12")
PER_MILLION = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
MODELS = {
    "provider": "VARCHAR",
    "llm": "VARCHAR",
    "llm_family": "VARCHAR",
    "context_window": "BIGINT",
    "valid_from": "TIMESTAMPTZ",
    "valid_to": "TIMESTAMPTZ",
    "price_id": "VARCHAR",
    "input_usd_per_million": "DECIMAL(38,12)",
    "cache_read_usd_per_million": "DECIMAL(38,12)",
    "cache_write_usd_per_million": "DECIMAL(38,12)",
    "output_usd_per_million": "DECIMAL(38,12)",
    "usd_per_request": "DECIMAL(38,12)",
    "long_context_above": "BIGINT",
    "varies_by_hour": "BOOLEAN",
    "catalogue_fingerprint": "VARCHAR",
}
"""One row for each model of a provider and each price it ever had. The rates are those of a short standard request."""

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class DatedPrice:
    """A price from `valid_from` up to but not including `valid_to`, both UTC instants."""

    price: Price
    valid_from: datetime
    valid_to: datetime | None
    context_window: int | None
    varies_by_hour: bool

    def as_row(self) -> Row:
        """A row of MODELS, but for its last column."""
        rates = {rate.unit: rate for rate in self.price.card.rates}
        return (
            self.price.provider,
            self.price.llm,
            catalogue.family_of(self.price.llm),
            self.context_window,
            self.valid_from,
            self.valid_to,
            self.price.price_id,
            *(_usd(rates.get(unit), MILLION) for unit in PER_MILLION),
            _usd(rates.get(REQUESTS), Decimal(1)),
            min((tier.above for rate in rates.values() for tier in rate.tiers), default=None),
            self.varies_by_hour,
        )


def create_price_history(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Create `ledger.models`, unless it is there and neither a price nor this code has changed: it takes a second.

    Raises:
        LedgerError: `prices.toml` is malformed.
    """
    overrides = PriceOverrides.load(home.prices_toml)
    own = home.prices_toml.read_text(encoding="utf-8") if home.prices_toml.exists() else ""
    behind = f"{catalogue.sources()}\n{code_hash(__name__)}\n{own}"
    fingerprint = hashlib.sha256(behind.encode()).hexdigest()[:16]
    if _fingerprint_of(connection) == fingerprint:
        return
    rows = _dated_prices(overrides) if own else _catalogued()
    create_table(connection, "models", MODELS, [(*row, fingerprint) for row in rows])


def _fingerprint_of(connection: duckdb.DuckDBPyConnection) -> str | None:
    try:
        row = connection.execute("select min(catalogue_fingerprint) from ledger.models").fetchone()
    except duckdb.CatalogException:
        return None
    return None if row is None else row[0]


@lru_cache(maxsize=1)
def _catalogued() -> list[Row]:
    return _dated_prices(PriceOverrides())


def _dated_prices(overrides: PriceOverrides) -> list[Row]:
    # Taken from the list itself: some ids of the catalogue do not match themselves.
    catalogue_models = {
        (provider.id, model.id): (CataloguedModel.of_catalogue(provider, model), model.context_window)
        for provider in catalogue.snapshot().providers
        for model in provider.models
    }
    pairs = dict.fromkeys([*catalogue_models, *overrides.own_models()])
    return [
        dated.as_row()
        for provider, model in pairs
        for dated in _history(provider, model, overrides, *catalogue_models.get((provider, model), (None, None)))
    ]


def _history(
    provider: str,
    model: str,
    overrides: PriceOverrides,
    catalogue_model: CataloguedModel | None,
    context_window: int | None,
) -> Iterator[DatedPrice]:
    """The prices of one model, one after the other. Neighbours that are the same are one."""
    instants = {BEGINNING, *overrides.changes(provider, model)}
    instants |= set(catalogue_model.change_instants) if catalogue_model else set[datetime]()
    changes: list[tuple[datetime, Price | None]] = []
    for instant in sorted(instant for instant in instants if BEGINNING <= instant < NEVER):
        price = _price_at(provider, model, instant, catalogue_model, overrides)
        if not changes or _id(changes[-1][1]) != _id(price):
            changes.append((instant, price))
    ends: list[datetime | None] = [start for start, _ in changes[1:]]
    for (start, price), end in zip(changes, [*ends, None], strict=True):
        if price is not None:
            yield DatedPrice(
                price, start, end, context_window, catalogue_model is not None and bool(catalogue_model.change_times)
            )


def _price_at(
    provider: str, model: str, instant: datetime, catalogue_model: CataloguedModel | None, overrides: PriceOverrides
) -> Price | None:
    def catalogued() -> Price:
        if catalogue_model is None:
            raise UnknownModelError(provider, model)
        return catalogue_model.price(instant, {})

    try:
        return overrides.apply(provider, model, instant, {}, catalogued)
    except UnknownModelError:
        return None


def _id(price: Price | None) -> str | None:
    return None if price is None else price.price_id


def _usd(rate: Rate | None, units: Decimal) -> Decimal | None:
    """What so many units cost, in USD; `None` where the unit has no rate of its own."""
    return (
        None
        if rate is None
        else EXACT.divide(EXACT.multiply(rate.base, units), rate.per).quantize(PLACES, context=EXACT)
    )
