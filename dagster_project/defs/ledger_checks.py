"""Checks of the sealed ledger on disk, made by the step that seals.

A check of its own could not hold up the models: dbt tests the same asset, and who tests one is not held up by others.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from dagster_project.lib.failures import listed
from tracking.home import Home
from warehouse.integrity.segment_files import missing_or_cut_files
from warehouse.ledger.manifest import Manifest
from warehouse.sealing.waiting import waiting_journals

WHOLE = "segment_files_are_whole"


def ledger_check_specs(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            "everything_recorded_is_sealed",
            asset=asset,
            description="Nothing that was recorded before still waits in a journal: what was acknowledged is seen.",
        ),
        dg.AssetCheckSpec(
            "nothing_is_quarantined",
            asset=asset,
            description="No line of a journal was put aside. What was is kept in `quarantine/`, with place and reason.",
        ),
        dg.AssetCheckSpec(
            WHOLE,
            asset=asset,
            blocking=True,
            description="Every live segment is on disk, as long as the manifest says. Else no report is rebuilt.",
        ),
    ]


def check_ledger(home: Home, asset: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """The results of `ledger_check_specs`; the blocking one comes last, since it ends the step where it fails."""
    yield _everything_recorded_is_sealed(home, asset)
    with Manifest(home) as manifest:
        files = len(manifest.segments())
        reasons = Counter(line.reason for line in manifest.quarantined())
    yield dg.AssetCheckResult(
        check_name="nothing_is_quarantined",
        asset_key=asset,
        passed=not reasons,
        severity=dg.AssetCheckSeverity.WARN,
        description=listed([f"{count:,} lines: {reason}" for reason, count in reasons.most_common()]) or None,
        metadata={"lines": reasons.total()},
    )
    broken_files = missing_or_cut_files(home)
    yield dg.AssetCheckResult(
        check_name=WHOLE,
        asset_key=asset,
        passed=not broken_files,
        description=listed(broken_files) or None,
        metadata={"files": files, "broken_files": len(broken_files)},
    )


def _everything_recorded_is_sealed(home: Home, asset: dg.AssetKey) -> dg.AssetCheckResult:
    waiting = waiting_journals(home)
    now = datetime.now(UTC)
    orphans = [journal.path.name for journal in waiting if journal.was_passed_over(now)]
    return dg.AssetCheckResult(
        check_name="everything_recorded_is_sealed",
        asset_key=asset,
        passed=not orphans,
        description=f"no sealing took all of {listed(orphans)}" if orphans else None,
        metadata={
            "waiting_journals": len(waiting),
            "waiting_bytes": sum(journal.waiting_bytes for journal in waiting),
        },
    )
