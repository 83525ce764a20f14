"""The job that brings every report up to date, and the schedule that runs it."""

import dagster as dg

refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all(),
    description="Seal what was recorded, rebuild the days that changed, prove every report, publish.",
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
