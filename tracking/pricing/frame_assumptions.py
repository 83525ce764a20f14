"""What the prices of a frame's rows rest on: said once for all rows that rest on the same."""

from collections.abc import Sequence

import polars as pl

from tracking.assumptions import Assumption, assumed_by_answer, assumptions_json
from tracking.errors import CostTrackingError
from tracking.pricing.what_if import Found
from tracking.usage import CATALOGUE_UNITS, TOKEN_COUNTS, Quantity, units_from_json

SAID = {"pricing_status": pl.String(), "price_assumptions": pl.String()}
KIND = ("number", "used", "other_units", "pricing_status", "price_assumptions", "priced")


def statuses(work: pl.DataFrame, found: Sequence[Found], which: pl.Series) -> pl.DataFrame:
    """SAID of every row. `work` has the rows' counts and texts, and `picos`, NULL where a row has no price."""
    priced = pl.col("picos").is_not_null()
    doubted = [_doubted(each) for each in found]
    plain = work["other_units"].is_null() & work["price_assumptions"].is_null()
    plain &= work["pricing_status"].ne_missing("estimated")
    if plain.all() and not any(doubted) and not any(each.price and each.price.assumptions for each in found):
        return work.select(
            pricing_status=pl.when(priced).then(pl.lit("priced")).otherwise(pl.lit("unpriced")),
            price_assumptions=pl.lit(None, pl.String),
        )
    used = pl.lit(0, pl.Int64)
    for bit, name in enumerate(TOKEN_COUNTS):
        used += (pl.col(name).fill_null(0) != 0).cast(pl.Int64) * (1 << bit)
    doubtful = pl.Series(doubted, dtype=pl.Int64).gather(which)
    kinds = work.select(*KIND[2:5], number=which.cast(pl.Int64), used=used & doubtful, priced=priced).select(KIND)
    each_once = kinds.unique(maintain_order=True)
    said = [_said(found[int(number)], *kind) for number, *kind in each_once.iter_rows()]
    known = each_once.hstack(pl.DataFrame(said, {f"said_{name}": kind for name, kind in SAID.items()}, orient="row"))
    joined = kinds.join(known, on=KIND, how="left", nulls_equal=True, maintain_order="left")
    return joined.select(**{name: f"said_{name}" for name in SAID})


def _doubted(found: Found) -> int:
    """A bit for each of TOKEN_COUNTS that the price bills on an assumption."""
    if found.price is None:
        return 0
    settled = len(found.price.assumptions)
    bits = enumerate(CATALOGUE_UNITS)
    return sum(1 << bit for bit, unit in bits if len(found.price.assumed({unit: 1})) > settled)


def _said(
    found: Found, used: int, other_units: str | None, status: str | None, assumed_then: str | None, priced: bool
) -> tuple[str, str | None]:
    try:
        assumed: tuple[Assumption, ...] = assumed_by_answer(assumed_then, status)
    except ValueError:
        assumed = ()
    if not priced or found.price is None:
        return "unpriced", assumptions_json(assumed)
    counts: dict[str, Quantity] = {unit: 1 for bit, unit in enumerate(CATALOGUE_UNITS) if used >> bit & 1}
    try:
        assumed = (*assumed, *found.price.assumed(units_from_json(other_units) | counts))
    except CostTrackingError:  # such a row has no price
        return "unpriced", assumptions_json(assumed)
    return "estimated" if assumed else "priced", assumptions_json(assumed)
