"""The rows of the ledger by UTC day, and how a range of days is built anew."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

from dagster_project.defs.ledger import SEGMENTS
from dagster_project.lib.dagster_home import BUILD_DATABASE_POOL
from dagster_project.lib.days import DAYS, sealed_days
from dagster_project.lib.durations import Durations
from dagster_project.lib.failures import explained, failure, listed
from dagster_project.lib.reported_days import USAGE
from dagster_project.lib.resources import LedgerHome
from dagster_project.lib.translator import ROWS, LedgerTranslator
from tracking.home import Home
from warehouse.building.rebuild import forget_days
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.locks import building


def usage_by_day(manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """The rows by day. Whatever number of days is chosen, one run rebuilds them."""
    [spec] = LedgerTranslator().source_specs(manifest, only={"usage"})

    @dg.multi_asset(
        name="usage_by_day",
        specs=[
            spec.replace_attributes(
                deps=[SEGMENTS],
                kinds={"parquet"},
                description=(
                    f"{spec.description} By UTC day. Sealing reports every day that changed; to materialize days reads "
                    "every byte of them again, and has the reports build them anew."
                ),
            )
        ],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=BUILD_DATABASE_POOL,
    )
    def usage_by_day(context: dg.AssetExecutionContext, ledger_home: LedgerHome) -> Iterator[dg.MaterializeResult]:
        home = ledger_home.home
        started = time.monotonic()
        chosen = [date.fromisoformat(partition) for partition in context.partition_keys]
        with explained():
            _require_whole(home, chosen)
            with building(home):
                forget_days(home, chosen)
            days = sealed_days(home)
        for day in chosen:
            metadata = days[day].metadata if day in days else {ROWS: 0}
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
        yield dg.MaterializeResult(metadata=Durations(context).of(USAGE, time.monotonic() - started))

    return usage_by_day


def _require_whole(home: Home, chosen: list[date]) -> None:
    """Every byte of the days is what was sealed, or nothing is rebuilt from it."""
    by_day: dict[date, list[Segment]] = defaultdict(list)
    with Manifest(home) as manifest:
        for segment in manifest.segments():
            by_day[segment.usage_date].append(segment)
    broken = [segment.file for day in chosen for segment in by_day[day] if not _is_whole(home, segment)]
    if broken:
        raise failure(
            f"not as sealed: {listed(broken)}",
            "Bring the named files of `usage/` back from a backup; `llm-cost verify` says when the ledger is whole.",
        )


def _is_whole(home: Home, segment: Segment) -> bool:
    try:
        with (home.usage / segment.file).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == segment.sha256
    except FileNotFoundError:
        return False
