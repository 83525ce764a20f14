"""What a row stands at after its corrections: counts and money summed exactly, the rest as last said."""

from decimal import localcontext
from typing import Any

from tracking.money import EXACT
from tracking.usage import TOKEN_COUNTS, units_from_json, units_json

Row = dict[str, Any]

COUNTERS = (*TOKEN_COUNTS, "token_count")
AMOUNTS = ("cost_usd", "provider_cost_usd")
LAST_SAID = ("pricing_status", "price_id", "status", "error_type")


def corrected(row: Row, correction: Row) -> Row:
    """The row with one correction applied; what neither knows stays NULL."""
    standing = {**row, **{name: correction[name] for name in LAST_SAID}}
    with localcontext(EXACT):
        for name in (*COUNTERS, *AMOUNTS):
            if correction[name] is not None:
                standing[name] = (row[name] or 0) + correction[name]
        units, deltas = units_from_json(row["other_units"]), units_from_json(correction["other_units"])
        standing["other_units"] = units_json(units | {name: units.get(name, 0) + deltas[name] for name in deltas})
    return standing
