"""What Dagster loads. It only assembles what `defs/` holds."""

from functools import cache
from pathlib import Path

import dagster as dg

from dagster_project.defs.alerts import failed_runs, send_alerts_job
from dagster_project.defs.inputs import inputs
from dagster_project.defs.ledger import sealed_ledger
from dagster_project.defs.maintenance import (
    compact_job,
    daily_price_update,
    ledger_verifies,
    nightly_compact,
    nightly_retain,
    retain_job,
    update_prices_job,
    verify_ledger,
    weekly_verify,
)
from dagster_project.defs.models import dbt_models
from dagster_project.defs.published import published_warehouse
from dagster_project.defs.published_checks import PUBLISHED_CHECKS
from dagster_project.defs.refresh import hourly_refresh, rebuild_days, refresh, reports_follow_the_ledger
from dagster_project.defs.sensors import late_days, new_breaches
from dagster_project.defs.usage_by_day import usage_by_day
from dagster_project.lib.dbt_manifest import prepared_manifest
from dagster_project.lib.resources import LedgerHome
from tracking.home import Home
from tracking.settings import ProcessSettings


@dg.definitions
def definitions() -> dg.Definitions:
    """Everything on the home that `LLM_COST_HOME` names, else ./llm-cost-data."""
    return _definitions_on(Home(ProcessSettings().home).root)


@cache
def _definitions_on(root: Path) -> dg.Definitions:
    """Made once in a process: to execute a job Dagster asks for them six times."""
    home = Home(root)
    home.open()
    manifest = prepared_manifest(home)
    models = dbt_models(manifest)
    return dg.Definitions(
        assets=[sealed_ledger(manifest), usage_by_day(manifest), inputs(manifest), models, published_warehouse(models)],
        asset_checks=[ledger_verifies, *PUBLISHED_CHECKS],
        jobs=[refresh, rebuild_days, compact_job, retain_job, verify_ledger, update_prices_job, send_alerts_job],
        schedules=[hourly_refresh, nightly_compact, weekly_verify, daily_price_update, nightly_retain],
        sensors=[late_days, reports_follow_the_ledger, new_breaches, failed_runs],
        resources={"ledger_home": LedgerHome(root=str(home.root))},
        # One process for a whole run: a process for each step costs 19 s where this costs 5 s.
        executor=dg.in_process_executor,
    )
