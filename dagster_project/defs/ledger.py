"""The sealed ledger: what was recorded, as segments by UTC day."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from typing import Any

import dagster as dg

from dagster_project.defs.ledger_checks import WHOLE, check_ledger, ledger_check_specs
from dagster_project.lib.charts import column_chart
from dagster_project.lib.durations import Durations
from dagster_project.lib.failures import explained
from dagster_project.lib.partitions import FIRST_DAY
from dagster_project.lib.reported_days import report_changed_days
from dagster_project.lib.resources import LedgerHome
from dagster_project.lib.translator import ROWS, LedgerTranslator
from tracking.home import Home
from tracking.money import EXACT
from warehouse.ledger.compact import compact_closed_days
from warehouse.ledger.days import SealedDay, sealed_days
from warehouse.ledger.manifest import Manifest
from warehouse.quarantine.standing import standing_refusals
from warehouse.sealing.seal import SealReport, seal

SEGMENTS = dg.AssetKey(["ledger", "segments"])
FROM_THE_MANIFEST = ("segments", "conflicts", "refused")


def sealed_ledger(manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """What sealing makes. Sealing takes whatever days the journals hold, so it has no partition to be asked for.

    The rows themselves, `ledger/usage`, are partitioned: each day that changed is reported there.
    """

    @dg.multi_asset(
        name="sealed_ledger",
        specs=[
            spec.replace_attributes(kinds={"sqlite"})
            for spec in LedgerTranslator().source_specs(manifest, only=FROM_THE_MANIFEST)
        ],
        check_specs=ledger_check_specs(SEGMENTS),
    )
    def sealed_ledger(
        context: dg.AssetExecutionContext, ledger_home: LedgerHome
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        home = ledger_home.home
        start = time.monotonic()
        with explained():
            report = seal(home)
            checks = list(check_ledger(home, SEGMENTS))
            # With a file missing the days cannot be read; the check that says so ends the step.
            whole = all(check.passed for check in checks if check.check_name == WHOLE)
            if whole:
                compact_closed_days(home)
            days = sealed_days(home) if whole else {}
        seconds = time.monotonic() - start
        if whole:
            report_changed_days(context.instance, days, context.log_event)
        metadata = _segments_metadata(report, list(days.values())) | Durations(context).of(SEGMENTS, seconds)
        yield dg.MaterializeResult(asset_key=SEGMENTS, metadata=metadata)
        for key in context.selected_asset_keys - {SEGMENTS}:
            yield dg.MaterializeResult(asset_key=key, metadata=_findings(home, key.path[-1]))
        yield from checks

    return sealed_ledger


def _segments_metadata(report: SealReport, days: list[SealedDay]) -> dict[str, Any]:
    with localcontext(EXACT):
        cost = sum((day.cost_usd for day in days), Decimal(0))
    first, last = (f"{days[0].usage_date}", f"{days[-1].usage_date}") if days else (None, None)
    return {
        "dagster/row_count": len(days),
        "rows": sum(day.row_count for day in days),
        "cost_usd": f"{cost:f}",
        "micro_usd": sum(day.micro_usd for day in days),
        "requests": sum(day.requests for day in days),
        "unpriced_requests": sum(day.unpriced_requests for day in days),
        "segments": sum(day.segments for day in days),
        "bytes": sum(day.bytes for day in days),
        "first_day": first,
        "last_day": last,
        "days_before_the_first_partition": sum(day.usage_date < FIRST_DAY for day in days),
        "new_rows": report.rows,
        "new_segments": report.segments,
        "duplicates": report.duplicates,
        "quarantined_lines": report.quarantined,
        "cost_by_day": column_chart("USD by UTC day", [(f"{day.usage_date}", day.cost_usd) for day in days]),
    }


def _findings(home: Home, name: str) -> dict[str, int]:
    if name == "refused":
        states = Counter(call.state.value for call in standing_refusals(home))
        return {ROWS: states.total(), **states}
    with Manifest(home) as manifest:
        return {ROWS: len(manifest.conflicts())}
