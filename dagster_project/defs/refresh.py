"""The jobs that bring reports up to date, and what starts them by itself."""

import dagster as dg

from dagster_project.defs.maintenance import ledger_verifies
from dagster_project.lib.partitions import USAGE

# Reading every byte of the ledger is for the job `verify`.
QUICK = dg.AssetSelection.all() - dg.AssetSelection.checks(ledger_verifies)

# Without the rows by day: the job has no partition to be asked for. Sealing reports the days that changed.
refresh = dg.define_asset_job(
    "refresh",
    selection=QUICK - dg.AssetSelection.assets(USAGE).without_checks(),
    description="Seal what was recorded, rebuild the days that changed, prove every report, publish.",
)

rebuild_days = dg.define_asset_job(
    "rebuild_days",
    selection=QUICK,
    description=(
        "Choose a day or a range of days: every byte of them is read again, every report is built anew for them, "
        "proven and published, in one run."
    ),
)

# Running from the start: a refresh only reads the journals, what it does twice changes nothing, readers of the
# published file never wait, and a second run queues behind the first.
hourly_refresh = dg.ScheduleDefinition(
    name="hourly_refresh",
    job=refresh,
    cron_schedule="0 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Brings every report up to date at every full hour.",
)

# Running too: nothing happens unless somebody materializes a part of the graph by hand.
reports_follow_the_ledger = dg.AutomationConditionSensorDefinition(
    "reports_follow_the_ledger",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Builds and publishes the reports after days of the ledger were materialized by hand.",
)
