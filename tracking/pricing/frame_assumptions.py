"""What the prices of a frame's rows rest on: said once for all rows that rest on the same."""

from collections.abc import Sequence

import polars as pl

from tracking.assumptions import Assumption, assumed_by_answer, assumptions_json
from tracking.errors import CostTrackingError
from tracking.pricing.what_if import Quote
from tracking.usage import CATALOGUE_UNITS, TOKEN_COUNTS, Quantity, units_from_json

SAID = {"pricing_status": pl.String(), "price_assumptions": pl.String()}
KIND = ("number", "used", "other_units", "pricing_status", "price_assumptions", "priced")


def statuses(work: pl.DataFrame, quotes: Sequence[Quote], which: pl.Series) -> pl.DataFrame:
    """SAID of every row. `work` has the rows' counts and texts, and `picos`, NULL where a row has no price."""
    has_price = pl.col("picos").is_not_null()
    doubts = [_doubted(each) for each in quotes]
    plain = work["other_units"].is_null() & work["price_assumptions"].is_null()
    plain &= work["pricing_status"].ne_missing("estimated")
    if plain.all() and not any(doubts) and not any(each.price and each.price.assumptions for each in quotes):
        return work.select(
            pricing_status=pl.when(has_price).then(pl.lit("priced")).otherwise(pl.lit("unpriced")),
            price_assumptions=pl.lit(None, pl.String),
        )
    used = pl.lit(0, pl.Int64)
    for bit, name in enumerate(TOKEN_COUNTS):
        used += (pl.col(name).fill_null(0) != 0).cast(pl.Int64) * (1 << bit)
    doubtful = pl.Series(doubts, dtype=pl.Int64).gather(which)
    kinds = work.select(*KIND[2:5], number=which.cast(pl.Int64), used=used & doubtful, priced=has_price).select(KIND)
    each_once = kinds.unique(maintain_order=True)
    states = [_said(quotes[int(number)], *kind) for number, *kind in each_once.iter_rows()]
    known = each_once.hstack(pl.DataFrame(states, {f"said_{name}": kind for name, kind in SAID.items()}, orient="row"))
    joined = kinds.join(known, on=KIND, how="left", nulls_equal=True, maintain_order="left")
    return joined.select(**{name: f"said_{name}" for name in SAID})


def _doubted(quote: Quote) -> int:
    """A bit for each of TOKEN_COUNTS that the price bills on an assumption."""
    if quote.price is None:
        return 0
    of_any_unit = len(quote.price.assumptions)
    bits = enumerate(CATALOGUE_UNITS)
    return sum(1 << bit for bit, unit in bits if len(quote.price.assumed({unit: 1})) > of_any_unit)


def _said(
    quote: Quote,
    units_used: int,
    other_units: str | None,
    status: str | None,
    price_assumptions: str | None,
    has_price: bool,
) -> tuple[str, str | None]:
    try:
        assumptions: tuple[Assumption, ...] = assumed_by_answer(price_assumptions, status)
    except ValueError:
        assumptions = ()
    if not has_price or quote.price is None:
        return "unpriced", assumptions_json(assumptions)
    counts: dict[str, Quantity] = {unit: 1 for bit, unit in enumerate(CATALOGUE_UNITS) if units_used >> bit & 1}
    try:
        assumptions = (*assumptions, *quote.price.assumed(units_from_json(other_units) | counts))
    except CostTrackingError:  # such a row has no price
        return "unpriced", assumptions_json(assumptions)
    return "estimated" if assumptions else "priced", assumptions_json(assumptions)
