"""What Dagster loads. It only assembles what `defs/` holds."""

import dagster as dg

from dagster_project.defs.ledger import other_sources, sealed_ledger, segment_files_are_whole
from dagster_project.defs.models import dbt_models
from dagster_project.defs.published import published_warehouse, reports_sum_to_ledger
from dagster_project.defs.refresh import hourly_refresh, refresh
from dagster_project.manifest import prepared_manifest
from dagster_project.resources import LedgerHome
from tracking.home import Home
from tracking.settings import ProcessSettings


@dg.definitions
def definitions() -> dg.Definitions:
    """Everything on the home that `LLM_COST_HOME` names, else ./llm-cost-data."""
    home = Home(ProcessSettings().home)
    home.open()
    manifest = prepared_manifest(home)
    models = dbt_models(manifest)
    return dg.Definitions(
        assets=[sealed_ledger(manifest), *other_sources(manifest), models, published_warehouse(models)],
        asset_checks=[segment_files_are_whole, reports_sum_to_ledger],
        jobs=[refresh],
        schedules=[hourly_refresh],
        resources={"ledger_home": LedgerHome(root=str(home.root))},
        # One process for a whole run: a process for each step costs 19 s where this costs 5 s.
        executor=dg.in_process_executor,
    )
