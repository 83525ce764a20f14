"""The ledger's days (UTC) as partitions of `ledger/usage`."""

from datetime import date
from typing import Any

import dagster as dg

from dagster_project.lib.translator import ROWS
from warehouse.ledger.days import SealedDay

USAGE = dg.AssetKey(["ledger", "usage"])

FIRST_DAY = date(2023, 1, 1)
"""Fixed, or partitions would change under the runs that made them. Earlier days are reported, without a partition."""

# The day that is not over is a partition too: its calls are sealed as they come.
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=1)


def day_metadata(day: SealedDay) -> dict[str, Any]:
    """What Dagster shows of a day. Money is exact text; micro_usd is the number to plot."""
    return {
        ROWS: day.row_count,
        "requests": day.requests,
        "cost_usd": f"{day.cost_usd:f}",
        "micro_usd": day.micro_usd,
        "unpriced_requests": day.unpriced_requests,
        "segments": day.segments,
        "bytes": day.bytes,
    }
