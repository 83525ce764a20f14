"""How long an asset took, beside what it usually takes."""

from statistics import median
from typing import Any

import dagster as dg

SECONDS = "seconds"
RUNS = 10
"""Earlier materializations that the median is taken of."""


class Durations:
    """The durations of assets in one instance's history."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._instance = context.instance

    def of(self, key: dg.AssetKey, seconds: float) -> dict[str, Any]:
        """Metadata for a materialization that took so long: its seconds, and the median of those before it if any."""
        earlier = self._earlier(key)
        return {SECONDS: round(seconds, 3)} | ({"median_seconds": round(median(earlier), 3)} if earlier else {})

    def _earlier(self, key: dg.AssetKey) -> list[float]:
        records = self._instance.fetch_materializations(key, limit=RUNS).records
        found = (record.asset_materialization for record in records)
        values = (event.metadata.get(SECONDS) for event in found if event)
        return [float(entry.value) for entry in values if isinstance(entry, dg.FloatMetadataValue) and entry.value]
