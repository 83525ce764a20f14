"""The published warehouse: what readers open."""

from typing import Any

import dagster as dg
import duckdb

from dagster_project.defs.models import BUILD_DATABASE_POOL
from dagster_project.measures import as_metadata, measures_by_relation
from dagster_project.resources import LedgerHome
from dagster_project.translator import ROWS
from tracking.home import Home
from warehouse.housekeeping import tidy
from warehouse.locks import building
from warehouse.proof import MEASURES, CutProof, prove
from warehouse.publish import publish
from warehouse.reading import open_warehouse

WAREHOUSE = dg.AssetKey("published_warehouse")


def published_warehouse(models: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """The file that replaces the last one once every model is built and every test has passed."""

    @dg.asset(
        key=WAREHOUSE,
        deps=[models],
        group_name="published",
        kinds={"duckdb"},
        pool=BUILD_DATABASE_POOL,
        description=(
            "All reports in one DuckDB file, put in place of the last one atomically: no reader waits, none fails. "
            "It is only replaced when every model is built and every test has passed."
        ),
    )
    def published_warehouse(ledger_home: LedgerHome) -> dg.MaterializeResult:
        home = ledger_home.home
        with building(home):
            proofs = _proven(home)
            publish(home)
            measures = measures_by_relation(home.warehouse_database)
            tidy(home)
        return dg.MaterializeResult(
            metadata={
                **as_metadata(proofs[0].ledger),
                "relations": _relations_table(measures),
                "bytes": home.warehouse_database.stat().st_size,
                "path": dg.MetadataValue.path(home.warehouse_database),
            }
        )

    return published_warehouse


@dg.asset_check(
    asset=WAREHOUSE,
    blocking=True,
    description="Every published report adds up to the sealed ledger, to the last digit of DECIMAL(18,12).",
)
def reports_sum_to_ledger(ledger_home: LedgerHome) -> dg.AssetCheckResult:
    with open_warehouse(ledger_home.home) as connection:
        proofs = prove(connection)
    wrong = [proof.cut for proof in proofs if not proof.holds]
    return dg.AssetCheckResult(
        passed=bool(proofs) and not wrong,
        description=f"not equal to the ledger: {', '.join(wrong)}" if wrong else None,
        metadata={"proof": _proof_table(proofs), "reports": len(proofs)},
    )


def _proven(home: Home) -> list[CutProof]:
    """The proofs of what is built. Who materializes this asset alone gets past the checks of models, not past this."""
    if not home.build_database.exists():
        raise dg.Failure("nothing is built yet: materialize the models first", allow_retries=False)
    with duckdb.connect(home.build_database, read_only=True) as connection:
        proofs = prove(connection)
    wrong = [proof.cut for proof in proofs if not proof.holds]
    if wrong or not proofs:
        raise dg.Failure(
            f"not published: {', '.join(wrong) or 'nothing built'} does not sum to the ledger; materialize the models",
            allow_retries=False,
        )
    return proofs


def _relations_table(measures: dict[str, dict[str, Any]]) -> dg.TableMetadataValue:
    records = [
        {"relation": name, "rows": measure[ROWS], "cost_usd": measure.get("cost_usd", "")}
        for name, measure in measures.items()
    ]
    return _table(records, ["relation", "rows", "cost_usd"])


def _proof_table(proofs: list[CutProof]) -> dg.TableMetadataValue:
    """The ledger's own sums first, then each report's."""
    ledger = [{"relation": "ledger", **as_metadata(proofs[0].ledger), "proof": ""}] if proofs else []
    records = [
        {"relation": proof.cut, **as_metadata(proof.sums), "proof": "equal" if proof.holds else "NOT EQUAL"}
        for proof in proofs
    ]
    return _table([*ledger, *records], ["relation", *MEASURES, "proof"])


def _table(records: list[dict[str, Any]], columns: list[str]) -> dg.TableMetadataValue:
    """A table of text: every digit as it is."""
    return dg.MetadataValue.table(
        records=[dg.TableRecord({column: str(record[column]) for column in columns}) for record in records],
        schema=dg.TableSchema(columns=[dg.TableColumn(column, "string") for column in columns]),
    )
