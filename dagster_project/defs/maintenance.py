"""What keeps a ledger small, lawful and whole, by the same functions as the command line."""

from dataclasses import asdict

import dagster as dg

from dagster_project.defs.ledger import SEGMENTS
from dagster_project.lib.failures import explained, listed
from dagster_project.lib.resources import LedgerHome
from dagster_project.lib.tables import table
from tracking.book_settings import Retention
from warehouse.integrity.verify import verify
from warehouse.ledger.compact import compact
from warehouse.privacy.retain import retain
from warehouse.sealing.reprice import RepriceReport, RowSelection, reprice


@dg.asset_check(
    asset=SEGMENTS,
    description=(
        "Every byte of the ledger is as it was written: segments, prompts, journals, manifest, prices, quarantine, "
        "reports. It reads everything, so it is no part of a refresh; the job `verify` runs it."
    ),
)
def ledger_verifies(ledger_home: LedgerHome) -> dg.AssetCheckResult:
    with explained():
        report = verify(ledger_home.home)
    problems = [f"{finding.place}: {finding.problem}" for finding in report.problems]
    return dg.AssetCheckResult(
        passed=report.clean,
        description=listed(problems) or None,
        metadata={
            "problems": len(problems),
            "notes": len(report.notes),
            "segments": report.segments,
            "rows": report.rows,
            "cost_usd": f"{report.cost_usd:f}",
            "prompts": report.prompts,
            "unsealed_lines": report.unsealed_lines,
            "quarantined_lines": report.quarantined,
        },
    )


verify_ledger = dg.define_asset_job(
    "verify",
    selection=dg.AssetSelection.checks(ledger_verifies),
    description="Read every byte of the ledger and compare it with what was written. Nothing is changed.",
)


@dg.op(name="compact_days")
def compact_days(context: dg.OpExecutionContext, ledger_home: LedgerHome) -> None:
    with explained():
        report = compact(ledger_home.home)
    columns = ["day", "segments", "rows", "bytes_before", "bytes_after"]
    context.add_output_metadata(
        {"days": len(report.days), "compacted": table([asdict(day) for day in report.days], columns)}
    )


@dg.op
def remove_what_is_too_old(context: dg.OpExecutionContext, ledger_home: LedgerHome) -> None:
    home = ledger_home.home
    with explained():
        retention = home.settings().retention
        if retention == Retention():
            context.log.warning("Nothing is removed: ledger.toml has no [retention]")
            return
        report = retain(home, retention)
    columns = ["day", "rows", "requests", "cost_usd", "prompts", "bytes"]
    context.add_output_metadata(
        {
            "rows": sum(day.rows for day in report.days),
            "prompts": sum(day.prompts for day in report.days),
            "quarantine_files": report.kept_files,
            "removed": table([asdict(day) for day in report.days], columns),
        }
    )


class PriceUpdate(dg.Config):
    """What to do with prices that are known now and were not when the calls were recorded."""

    apply: bool = False
    """Append the corrections; else only say what they would be."""


@dg.op
def price_again(context: dg.OpExecutionContext, ledger_home: LedgerHome, config: PriceUpdate) -> None:
    with explained():
        report = reprice(ledger_home.home, RowSelection(), dry_run=not config.apply)
        restated = reprice(ledger_home.home, RowSelection(restate=True), dry_run=True)
    context.log.info(f"{report.rows:,} unpriced rows {'got' if config.apply else 'would get'} a price")
    context.add_output_metadata(
        {
            "applied": config.apply,
            "rows": report.rows,
            "difference_usd": f"{report.difference_usd:f}",
            "still_unpriced": report.still_unpriced,
            "by_model": _by_model(report),
            "rows_a_restatement_would_change": restated.rows,
            "restatement_usd": f"{restated.difference_usd:f}",
        }
    )


def _by_model(report: RepriceReport) -> dg.TableMetadataValue:
    columns = ["provider", "model", "rows", "before_usd", "after_usd"]
    return table([asdict(difference) for difference in report.differences.values()], columns)


@dg.job(name="compact", description="Merge the small segments of each day into one. No report changes.")
def compact_job() -> None:
    compact_days()


@dg.job(name="retain", description="Remove rows and prompts older than [retention] in ledger.toml, for ever.")
def retain_job() -> None:
    remove_what_is_too_old()


@dg.job(
    name="update_prices",
    description="Say what unpriced calls cost by the prices known now; with `apply: true`, append the corrections.",
)
def update_prices_job() -> None:
    price_again()


def _schedule(
    name: str,
    job_name: str,
    cron: str,
    description: str,
    status: dg.DefaultScheduleStatus = dg.DefaultScheduleStatus.RUNNING,
) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=name,
        job_name=job_name,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=status,
        description=description,
    )


nightly_compact = _schedule("nightly_compact", "compact", "20 2 * * *", "Merges small segments every night.")
weekly_verify = _schedule("weekly_verify", "verify", "40 3 * * 0", "Verifies the whole ledger on Sundays.")
daily_price_update = _schedule(
    "daily_price_update", "update_prices", "20 4 * * *", "Says what unpriced calls would cost now. Changes nothing."
)
# What it removes cannot come back: somebody has to want it.
nightly_retain = _schedule(
    "nightly_retain",
    "retain",
    "20 1 * * *",
    "Removes what is older than ledger.toml says. Off until it is switched on.",
    dg.DefaultScheduleStatus.STOPPED,
)
