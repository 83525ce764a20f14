"""What notices by itself: days that changed, and breaches nobody was told of."""

import hashlib

import dagster as dg

from dagster_project.defs.alerts import send_alerts_job
from dagster_project.defs.published import WAREHOUSE
from dagster_project.defs.refresh import refresh
from dagster_project.lib.failures import listed
from dagster_project.lib.resources import LedgerHome
from tracking.errors import CostTrackingError
from tracking.home import Home
from warehouse.alerts.delivery import undelivered
from warehouse.published.unpublished_days import unpublished_days
from warehouse.sealing.waiting import waiting_journals

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


# Off until it is switched on: a refresh takes some fifteen seconds of a core, and most are content with the hour.
@dg.sensor(
    job=refresh,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Refreshes the days that calls were recorded or sealed for since the last publication, late days too.",
)
def late_days(context: dg.SensorEvaluationContext, ledger_home: LedgerHome) -> dg.SensorResult | dg.SkipReason:
    """Asks for one refresh for each state of the ledger it meets. It reads the manifest and the sizes of journals."""
    home = ledger_home.home
    days, waiting = unpublished_days(home), _waiting(home)
    if not days and not waiting:
        return dg.SkipReason("Every sealed day is published, and no journal waits")
    fingerprints = [f"{day} {fingerprint or 'emptied'}" for day, fingerprint in days.items()]
    state = hashlib.sha256("\n".join([*fingerprints, *waiting]).encode()).hexdigest()[:16]
    if state == context.cursor:
        return dg.SkipReason("A refresh was asked for already")
    unfinished = dg.RunsFilter(job_name=refresh.name, statuses=UNFINISHED)
    if context.instance.get_runs_count(unfinished):
        return dg.SkipReason("A refresh is on its way; what it leaves is looked at after it")
    tags = {
        "llm_cost/changed_days": listed([f"{day}" for day in days]),
        "llm_cost/waiting_journals": f"{len(waiting)}",
    }
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=state, tags=tags)], cursor=state)


@dg.asset_sensor(
    asset_key=WAREHOUSE,
    job=send_alerts_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="After each publication: tells whom alerts.toml names of every breach they were not told of.",
)
def new_breaches(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry, ledger_home: LedgerHome
) -> dg.RunRequest | dg.SkipReason:
    try:
        pending = undelivered(ledger_home.home)
    except CostTrackingError:
        # The run fails with the reason, where a person sees it.
        return dg.RunRequest(run_key=context.cursor)
    if not pending:
        return dg.SkipReason("Everybody was told of every breach")
    return dg.RunRequest(run_key=context.cursor)


def _waiting(home: Home) -> list[str]:
    """Journals with lines to seal; one that is being written right now may be longer the next time."""
    return [f"{journal.path.name} {journal.size}" for journal in waiting_journals(home)]
