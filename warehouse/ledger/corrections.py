"""What a call stands at after its corrections: counts and money summed exactly, the rest as last said.

The models say the same in SQL, by the macro `standing_calls`; a property test holds the two together.
"""

from collections.abc import Iterable, Mapping
from decimal import localcontext
from typing import Any

import polars as pl

from tracking.money import COST_PLACES, EXACT
from tracking.usage import TOKEN_COUNTS, Quantity, units_from_json, units_json
from warehouse.ledger.schema import USAGE_SCHEMA

COUNTERS = (*TOKEN_COUNTS, "token_count")
MONEY = ("cost_usd", "provider_cost_usd")
ADDED = (*COUNTERS, *MONEY, "micro_usd")
UNITS = "other_units"
LAST_SAID = (
    "pricing_status",
    "price_id",
    "price_context",
    "price_assumptions",
    "status",
    "error_type",
    "finish_reason",
)
UNCHANGED = tuple(name for name in USAGE_SCHEMA if name not in {*ADDED, UNITS, *LAST_SAID})

SAYS_COUNTS = (pl.col("charge_class") == "usage") | pl.any_horizontal(pl.col(*COUNTERS, UNITS).is_not_null())

USD = pl.Decimal(38, COST_PLACES)
"""Wide enough for any sum of the ledger's amounts."""


def has_failed(counts: Mapping[str, Any]) -> bool:
    """Whether a call stands as failed, and used nothing: no price is missing for it."""
    return counts["status"] == "error" and counts["token_count"] is None and counts[UNITS] is None


def standing_calls(rows: pl.DataFrame) -> pl.DataFrame:
    """The calls among rows (USAGE_SCHEMA), each as the corrections among the rows leave it.

    What neither a call nor its corrections know stays NULL. Money is DECIMAL(38,12). Added are `corrections`, how many
    the call has had, `last_recorded_at`, when it was last said how it stands, and `counted_at`, when it was last said
    what it used: a correction of its cost alone says nothing of that.
    """
    rows = rows.with_columns(pl.col(MONEY).cast(USD), call_id=pl.coalesce("corrects_record_id", "record_id"))
    corrections = rows.filter(charge_class="correction")
    corrected_rows = rows.join(corrections, on="call_id", how="semi")
    others = rows.join(corrections, on="call_id", how="anti")
    in_time = corrected_rows.sort(pl.col("charge_class") == "correction", "recorded_at", "record_id")
    calls = in_time.group_by("call_id", maintain_order=True).agg(
        pl.col(UNCHANGED).first(),
        *(pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()) for name in ADDED),
        pl.col(LAST_SAID).last(),
        pl.col(UNITS).drop_nulls(),
        corrections=pl.len().cast(pl.Int64) - 1,
        last_recorded_at=pl.col("recorded_at").max(),
        counted_at=pl.col("recorded_at").filter(SAYS_COUNTS).max(),
    )
    units = pl.Series(UNITS, map(_units_together, calls[UNITS]), dtype=pl.String)
    columns = (*USAGE_SCHEMA, "corrections", "last_recorded_at", "counted_at")
    once = {"corrections": pl.lit(0, pl.Int64), "last_recorded_at": "recorded_at", "counted_at": "recorded_at"}
    return pl.concat(
        [
            others.with_columns(**once).select(columns),
            calls.with_columns(units).filter(charge_class="usage").select(columns),
        ]
    )


def _units_together(texts: Iterable[str]) -> str | None:
    """The further units of a call and of its corrections, which are differences."""
    together: dict[str, Quantity] = {}
    with localcontext(EXACT):
        for text in texts:
            for name, quantity in units_from_json(text).items():
                together[name] = together.get(name, 0) + quantity
    return units_json(together)
