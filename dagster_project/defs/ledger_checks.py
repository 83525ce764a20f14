"""Checks of the sealed ledger on disk, made by the step that seals.

A check of its own could not hold up the models: dbt tests the same asset, and who tests one is not held up by others.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from dagster_project.lib.failures import listed
from dagster_project.lib.journals import waiting_journals
from tracking.home import Home
from warehouse.ledger.manifest import Manifest, Segment

WHOLE = "segment_files_are_whole"
QUIET = timedelta(minutes=5)
"""Longer than a sealing takes: a journal that was not written to for so long is sealed whole."""


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
        segments = manifest.segments()
        reasons = Counter(line.reason for line in manifest.quarantined())
    yield dg.AssetCheckResult(
        check_name="nothing_is_quarantined",
        asset_key=asset,
        passed=not reasons,
        severity=dg.AssetCheckSeverity.WARN,
        description=listed([f"{count:,} lines: {reason}" for reason, count in reasons.most_common()]) or None,
        metadata={"lines": reasons.total()},
    )
    broken = [problem for segment in segments if (problem := _problem(home, segment))]
    yield dg.AssetCheckResult(
        check_name=WHOLE,
        asset_key=asset,
        passed=not broken,
        description=listed(broken) or None,
        metadata={"files": len(segments), "broken_files": len(broken)},
    )


def _everything_recorded_is_sealed(home: Home, asset: dg.AssetKey) -> dg.AssetCheckResult:
    waiting = waiting_journals(home)
    quiet_since = datetime.now(UTC) - QUIET
    left = [journal.path.name for journal in waiting if journal.written_at < quiet_since and journal.holds_a_line()]
    return dg.AssetCheckResult(
        check_name="everything_recorded_is_sealed",
        asset_key=asset,
        passed=not left,
        description=f"no sealing took all of {listed(left)}" if left else None,
        metadata={
            "waiting_journals": len(waiting),
            "waiting_bytes": sum(each.size - each.sealed_bytes for each in waiting),
        },
    )


def _problem(home: Home, segment: Segment) -> str | None:
    try:
        size = (home.usage / segment.file).stat().st_size
    except FileNotFoundError:
        return f"{segment.file} is missing"
    return None if size == segment.bytes else f"{segment.file} has {size} bytes, the manifest says {segment.bytes}"
