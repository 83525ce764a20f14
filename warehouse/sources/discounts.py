"""Of the prices kept in `prices/`, those with a discount of one's own: what FOCUS calls list cost is without it."""

import json
from decimal import Decimal
from typing import Any, cast

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from tracking.pricing.price import DISCOUNT
from tracking.pricing.rate_card import REQUESTS
from tracking.pricing.sources.overrides import SOURCE
from warehouse.database import create_table

DISCOUNTS = {"price_id": "VARCHAR", "discount_percent": "DECIMAL(18,6)", "usd_per_request": "DECIMAL(38,12)"}


def create_discounts(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Create or replace `ledger.discounts`, a row a price. Prices without one are named otherwise and not read.

    Raises:
        LedgerError: a file of them is no price.
    """
    files = sorted(path for path in home.prices.iterdir() if SOURCE in path.name) if home.prices.exists() else []
    rows: list[tuple[object, ...]] = []
    for file in files:
        try:
            price = json.loads(file.read_text(encoding="utf-8"))
            percent = price["context"].get(DISCOUNT)
            if percent is not None:
                rows.append((file.stem, Decimal(percent), _usd_per_request(price)))
        except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
            raise LedgerError(f"{file} is no price that was kept: {type(error).__name__}") from error
    create_table(connection, "discounts", DISCOUNTS, rows)


def _usd_per_request(price: dict[str, Any]) -> Decimal:
    """A fee of one's own: it comes after the discount, the last of the rates."""
    last = cast("dict[str, Any]", price["rates"][-1]) if price["rates"] else {}
    return Decimal(last["usd"]) if last.get("unit") == REQUESTS and last.get("per") == 1 else Decimal(0)
