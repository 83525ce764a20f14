"""The ledger's days (UTC): what is sealed of each, and what the published reports know of it."""

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb

from dagster_project.lib.translator import ROWS
from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.database import connect
from warehouse.published.read import open_warehouse
from warehouse.sources.ledger import create_sources

FIRST_DAY = date(2023, 1, 1)
"""Fixed, or partitions would change under the runs that made them. Earlier days are reported, without a partition."""

# The day that is not over is a partition too: its calls are sealed as they come.
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=1)


@dataclass(frozen=True, slots=True)
class SealedDay:
    """What the live segments of one day sum to. `cost_usd` is exact USD; `fingerprint` changes with the segments."""

    usage_date: date
    fingerprint: str
    segments: int
    row_count: int
    requests: int
    cost_usd: Decimal
    micro_usd: int
    unpriced_requests: int
    bytes: int

    @property
    def metadata(self) -> dict[str, Any]:
        """What Dagster shows of the day. Money is exact text; micro_usd is the number to plot."""
        return {
            ROWS: self.row_count,
            "requests": self.requests,
            "cost_usd": f"{self.cost_usd:f}",
            "micro_usd": self.micro_usd,
            "unpriced_requests": self.unpriced_requests,
            "segments": self.segments,
            "bytes": self.bytes,
        }


def sealed_days(home: Home) -> dict[date, SealedDay]:
    """Every day that has rows, in order, as the manifest says now.

    Raises:
        LedgerError: a segment is missing, or is no Parquet file.
    """
    try:
        with connect() as connection:
            create_sources(connection, home)
            return _days(connection)
    except duckdb.Error as error:
        said = str(error).strip().splitlines()[0]
        raise LedgerError(f"the segments cannot be read: {said}; `llm-cost verify` names the damaged file") from error


def published_days(home: Home) -> dict[date, SealedDay]:
    """Every day as the published reports have it; none where nothing was published yet."""
    if not home.warehouse_database.exists():
        return {}
    with open_warehouse(home) as connection:
        return _days(connection)


def _days(connection: duckdb.DuckDBPyConnection) -> dict[date, SealedDay]:
    columns = ", ".join(field.name for field in fields(SealedDay))
    rows = connection.execute(f"select {columns} from ledger.segments order by usage_date").fetchall()
    return {row[0]: SealedDay(*row) for row in rows}
