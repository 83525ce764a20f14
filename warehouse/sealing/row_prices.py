"""What a row of the ledger costs by the prices known now, and the files of prices that rows came without."""

from typing import Any

import polars as pl

from tracking import ArgumentError, Cost, CostCalculator, LLMResponse, UnknownModelError, Usage, UsageError
from tracking.assumptions import assumed_by_answer
from tracking.errors import LedgerError
from tracking.home import Home
from tracking.pricing.price_files import PriceFiles
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.terms import context_from_json
from tracking.usage import TOKEN_COUNTS, units_from_json

Row = dict[str, Any]


def cost_of_row(calculator: CostCalculator, prices: PriceFiles, row: Row) -> Cost | None:
    """What the row costs by the prices known now; `None` where none is."""
    counts = {name: row[name] for name in TOKEN_COUNTS}
    # What an earlier version took may be refused today: such a row stays as it is.
    try:
        response = LLMResponse(
            provider=row["provider"],
            model=row["model"],
            usage=Usage(**counts, other_units=units_from_json(row["other_units"])),
            service_tier=row["service_tier"],
            # Rows from before there was the column: what chose their price stands with the price.
            price_context=context_from_json(row["price_context"]) or prices.context(row["price_id"]),
            region=row["region"],
            assumptions=assumed_by_answer(row["price_assumptions"], row["pricing_status"]),
        )
        return calculator.cost(response, at=row["occurred_at"], tenant=row["tenant"])
    except (ArgumentError, UnknownModelError, UsageError):
        return None


def keep_missing_prices(home: Home, rows: pl.DataFrame) -> None:
    """Keep anew each price that rows are priced by and `prices/` lacks: their journal came here without it.

    What cannot be found by its id any more, by a later catalogue or another `prices.toml`, `verify` names as missing.

    Raises:
        LedgerError: the disk refused a file.
    """
    priced = rows.filter(pl.col("price_id").is_not_null() & pl.col("corrects_record_id").is_null())
    missing = [
        row
        for row in priced.unique("price_id").iter_rows(named=True)
        if not (home.prices / f"{row['price_id']}.json").exists()
    ]
    if not missing:
        return
    try:
        calculator = CostCalculator(PriceOverrides.load(home.prices_toml))
    except LedgerError:
        return  # a mistake in prices.toml is told to whoever records by it, and stops no sealing
    prices = PriceFiles(home.prices)
    for row in missing:
        cost = cost_of_row(calculator, prices, row)
        if cost is not None and cost.price is not None and cost.price_id == row["price_id"]:
            prices.keep(cost.price)
