"""The rows of the ledger by UTC day, and how a range of days is built anew."""

import time
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

from dagster_project.defs.ledger import SEGMENTS
from dagster_project.lib.dagster_home import BUILD_DATABASE_POOL
from dagster_project.lib.durations import Durations
from dagster_project.lib.failures import explained, failure, listed
from dagster_project.lib.partitions import DAYS, USAGE, day_metadata
from dagster_project.lib.resources import LedgerHome
from dagster_project.lib.translator import ROWS, LedgerTranslator
from tracking.home import Home
from warehouse.building.rebuild import forget_days
from warehouse.integrity.segment_files import files_not_as_sealed
from warehouse.ledger.days import sealed_days
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
        start = time.monotonic()
        requested_days = [date.fromisoformat(partition) for partition in context.partition_keys]
        with explained():
            _require_whole(home, requested_days)
            with building(home):
                forget_days(home, requested_days)
            days = sealed_days(home)
        for day in requested_days:
            metadata = day_metadata(days[day]) if day in days else {ROWS: 0}
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
        yield dg.MaterializeResult(metadata=Durations(context).of(USAGE, time.monotonic() - start))

    return usage_by_day


def _require_whole(home: Home, chosen: list[date]) -> None:
    """Every byte of the days is what was sealed, or nothing is rebuilt from it."""
    if broken := files_not_as_sealed(home, chosen):
        raise failure(
            f"not as sealed: {listed(broken)}",
            "Bring the named files of `usage/` back from a backup; `llm-cost verify` says when the ledger is whole.",
        )
