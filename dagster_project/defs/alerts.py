"""Telling people, as a run of its own: whether an alert arrives has nothing to do with whether reports are right."""

from dataclasses import asdict
from datetime import UTC, datetime

import dagster as dg

from dagster_project.lib.failures import explained, failure, listed
from dagster_project.lib.resources import LedgerHome
from dagster_project.lib.tables import table
from warehouse.alerts.breaches import Breach, BreachKind, Severity
from warehouse.alerts.delivery import Backoff, deliver, send_alerts
from warehouse.alerts.settings import AlertSettings


@dg.op
def tell_of_breaches(context: dg.OpExecutionContext, ledger_home: LedgerHome) -> None:
    with explained():
        report = send_alerts(ledger_home.home)
    columns = ["severity", "title", "detail"]
    context.add_output_metadata(
        {
            "sent": len(report.sent),
            "told_before": report.known,
            "alerts": table([asdict(delivery.breach) for delivery in report.sent], columns),
        }
    )
    if report.failed:
        raise failure(
            listed([f"{delivery.recipient}: {delivery.problem}" for delivery in report.failed]),
            "Correct `alerts.toml` or what it points to. What was not told is tried again after the next publication, "
            "or by `llm-cost alerts --send`.",
        )


@dg.job(name="send_alerts", description="Tell whom alerts.toml names of every breach they were not told of.")
def send_alerts_job() -> None:
    tell_of_breaches()


@dg.run_failure_sensor(
    name="failed_runs",
    monitor_all_code_locations=False,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Tells whom alerts.toml names of a run that failed: at most once a day for each job.",
)
def failed_runs(context: dg.RunFailureSensorContext, ledger_home: LedgerHome) -> None:
    run = context.dagster_run
    if run.job_name == send_alerts_job.name or not AlertSettings.load(ledger_home.home).notify:
        return
    breach = Breach(
        key=f"run:{run.job_name}:{datetime.now(UTC):%Y-%m-%d}",
        kind=BreachKind.RUN,
        severity=Severity.ERROR,
        title=f"{run.job_name} failed; the published reports are what they were",
        detail=f"run {run.run_id}",
    )
    # Once, and quickly: the sensor has a minute for everything.
    deliver(ledger_home.home, [breach], backoff=Backoff(attempts=1))
