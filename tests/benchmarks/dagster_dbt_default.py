"""The dbt project as dagster-dbt's documentation would have it, to be measured against."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from tracking.book_settings import BookSettings
from warehouse.building.dbt import PROJECT, dbt_arguments


@dbt_assets(manifest=Path(os.environ["LLM_COST_MANIFEST"]))
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    yield from dbt.cli(dbt_arguments(BookSettings()), context=context).stream()


definitions = dg.Definitions(
    assets=[models],
    jobs=[dg.define_asset_job("models_job", selection=[models])],
    resources={"dbt": DbtCliResource(project_dir=str(PROJECT))},
)
