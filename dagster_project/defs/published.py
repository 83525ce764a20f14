"""The published warehouse: what readers open."""

import time
from datetime import timedelta
from typing import Any

import dagster as dg

from dagster_project.lib.dagster_home import BUILD_DATABASE_POOL
from dagster_project.lib.durations import Durations
from dagster_project.lib.failures import explained, failure, listed
from dagster_project.lib.measures import CHART, as_metadata, published_measures
from dagster_project.lib.resources import LedgerHome
from dagster_project.lib.tables import table
from dagster_project.lib.translator import FOLLOWS_THE_LEDGER, OWNERS, ROWS
from tracking.home import Home
from warehouse.building.publish import publish
from warehouse.building.tested import ensure_tested
from warehouse.building.unchanged_days import read_otherwise
from warehouse.database import connect
from warehouse.ledger.tidy import tidy
from warehouse.locks import building
from warehouse.published.proof import CutProof, prove

WAREHOUSE = dg.AssetKey("published_warehouse")

# The hourly refresh may miss once; after a night without one, somebody has to look.
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=2), fail_window=timedelta(hours=12))

DIFFERENT = "read_otherwise"
"""In the metadata of a publication: the reports and dates whose rows are not those it replaced."""


def published_warehouse(models: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """The file that replaces the last one once every model is built and every test has passed."""

    @dg.asset(
        key=WAREHOUSE,
        deps=[models],
        group_name="published",
        kinds={"duckdb"},
        owners=OWNERS,
        pool=BUILD_DATABASE_POOL,
        freshness_policy=FRESHNESS,
        automation_condition=FOLLOWS_THE_LEDGER,
        description=(
            "All reports in one DuckDB file, put in place of the last one atomically: no reader waits, none fails. "
            "It is only replaced when every model is built and every test has passed."
        ),
    )
    def published_warehouse(context: dg.AssetExecutionContext, ledger_home: LedgerHome) -> dg.MaterializeResult:
        home = ledger_home.home
        start = time.monotonic()
        with building(home), explained():
            proofs = _proven(home)
            # A run may have been started with fewer tests than there are, or with none.
            ensure_tested(home)
            different = read_otherwise(home)
            publish(home)
            measures = published_measures(home)
            tidy(home)
        return dg.MaterializeResult(
            metadata={
                **as_metadata(proofs[0].ledger),
                **_chart_of_days(measures),
                "relations": _relations_table(measures),
                "bytes": home.warehouse_database.stat().st_size,
                "path": dg.MetadataValue.path(home.warehouse_database),
                DIFFERENT: dg.MetadataValue.json(different),
                **Durations(context).of(WAREHOUSE, time.monotonic() - start),
            },
        )

    return published_warehouse


def _proven(home: Home) -> list[CutProof]:
    """The proofs of what is built. Who materializes this asset alone gets past the checks of models, not past this."""
    if not home.build_database.exists():
        raise failure("nothing is built yet: materialize the models first", "Run `refresh`.")
    with connect(home.build_database, read_only=True) as connection:
        proofs = prove(connection)
    wrong = [proof.cut for proof in proofs if not proof.holds]
    if wrong or not proofs:
        raise failure(
            f"not published: {listed(wrong) or 'nothing built'} does not sum to the ledger",
            "Materialize the models, or run `refresh`: it builds every day that changed.",
        )
    return proofs


def _chart_of_days(measures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    chart = measures.get("cost_per_day", {}).get(CHART)
    return {CHART: chart} if chart else {}


def _relations_table(measures: dict[str, dict[str, Any]]) -> dg.TableMetadataValue:
    records = [
        {"relation": name, "rows": measure[ROWS], "cost_usd": measure.get("cost_usd", "")}
        for name, measure in measures.items()
    ]
    return table(records, ["relation", "rows", "cost_usd"])
