"""How dbt's nodes look in Dagster."""

from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

ROWS = "dagster/row_count"
"""The metadata that Dagster itself shows as an asset's rows."""


class LedgerTranslator(DagsterDbtTranslator):
    """Groups are the project's folders, descriptions its yml, checks its tests, those of the sources included."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "source":
            return dbt_resource_props["source_name"]
        return dbt_resource_props["fqn"][1]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return dbt_resource_props["description"]

    def source_specs(self, manifest: Mapping[str, Any], keys: Collection[dg.AssetKey]) -> list[dg.AssetSpec]:
        """The sources as assets that we make ourselves, under the keys that models depend on."""
        specs = [self.get_asset_spec(manifest, unique_id, None) for unique_id in manifest["sources"]]
        return [spec.replace_attributes(kinds={"parquet"}, deps=[]) for spec in specs if spec.key in keys]
