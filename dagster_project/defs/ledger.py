"""The sealed ledger: the two relations that every model comes from."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import dagster as dg

from dagster_project.resources import LedgerHome
from dagster_project.translator import ROWS, LedgerTranslator
from tracking.home import Home
from warehouse.manifest import Manifest, Segment
from warehouse.seal import seal

USAGE = dg.AssetKey(["ledger", "usage"])
SEGMENTS = dg.AssetKey(["ledger", "segments"])


def sealed_ledger(manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """The dbt sources as what sealing makes. Not partitioned: sealing takes whatever days the journals hold."""

    @dg.multi_asset(name="sealed_ledger", specs=LedgerTranslator().source_specs(manifest, {USAGE, SEGMENTS}))
    def sealed_ledger(ledger_home: LedgerHome) -> Iterator[dg.MaterializeResult]:
        home = ledger_home.home
        report = seal(home)
        segments = _live_segments(home)
        yield dg.MaterializeResult(
            asset_key=USAGE,
            metadata={
                ROWS: sum(segment.row_count for segment in segments),
                "new_rows": report.rows,
                "cost_usd": f"{sum((segment.cost_usd for segment in segments), Decimal(0)):f}",
                "micro_usd": sum(segment.micro_usd for segment in segments),
                "requests": sum(segment.requests for segment in segments),
                "unpriced_requests": sum(segment.unpriced_requests for segment in segments),
                "bytes": sum(segment.bytes for segment in segments),
                "duplicates": report.duplicates,
                "quarantined_lines": report.quarantined,
                "path": dg.MetadataValue.path(home.usage),
            },
        )
        days = [segment.usage_date for segment in segments]
        yield dg.MaterializeResult(
            asset_key=SEGMENTS,
            metadata={
                ROWS: len(set(days)),
                "segments": len(segments),
                "new_segments": report.segments,
                "first_day": f"{min(days)}" if days else None,
                "last_day": f"{max(days)}" if days else None,
            },
        )

    return sealed_ledger


def other_sources(manifest: Mapping[str, Any]) -> list[dg.AssetSpec]:
    """What the build reads besides: names, prices, and what was odd about the journals. No asset makes them."""
    keys = {LedgerTranslator().get_asset_key(source) for source in manifest["sources"].values()} - {USAGE, SEGMENTS}
    return [spec.replace_attributes(kinds={"duckdb"}) for spec in LedgerTranslator().source_specs(manifest, keys)]


@dg.asset_check(
    asset=USAGE,
    blocking=True,
    description="Every live segment is on disk, as long as the manifest says. Until it is, no report is rebuilt.",
)
def segment_files_are_whole(ledger_home: LedgerHome) -> dg.AssetCheckResult:
    home = ledger_home.home
    segments = _live_segments(home)
    broken = [problem for segment in segments if (problem := _problem(home, segment))]
    return dg.AssetCheckResult(
        passed=not broken,
        description="; ".join(broken[:5]) or None,
        metadata={"files": len(segments), "broken_files": len(broken)},
    )


def _live_segments(home: Home) -> list[Segment]:
    with Manifest(home) as manifest:
        return manifest.segments()


def _problem(home: Home, segment: Segment) -> str | None:
    try:
        size = (home.usage / segment.file).stat().st_size
    except FileNotFoundError:
        return f"{segment.file} is missing"
    return None if size == segment.bytes else f"{segment.file} has {size} bytes, the manifest says {segment.bytes}"
