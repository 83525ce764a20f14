"""How dbt's nodes look in Dagster."""

from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

ROWS = "dagster/row_count"
"""The metadata that Dagster itself shows as an asset's rows."""

OWNERS = ["team:llm-costs"]

# A step that failed in its tests has materialized what it tested. A part that the same run makes anew is tested by it.
SOUND_DEPS = dg.AutomationCondition.all_deps_match(
    dg.AutomationCondition.will_be_requested()
    | dg.AutomationCondition.all_checks_match(dg.AutomationCondition.check_passed(), blocking_only=True)
).with_label("deps_passed_their_tests")

# Not `eager()`: it builds whatever is missing as soon as it is looked at, and waits for days that have no calls.
FOLLOWS_THE_LEDGER = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & SOUND_DEPS
    & ~dg.AutomationCondition.missing()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("follows_the_ledger")
"""Who materializes a part by hand, a few days of the ledger say, gets the reports after it by themselves."""


class LedgerTranslator(DagsterDbtTranslator):
    """Groups are the project's folders, descriptions its yml, checks its tests, those of the sources included."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "source":
            return dbt_resource_props["source_name"]
        folders = dbt_resource_props["fqn"][1:-1]
        return "_".join(folders)

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return dbt_resource_props["description"]

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return OWNERS

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> dict[str, str]:
        """A cut of the ledger is one that sums to it: `tag:cut` selects them all."""
        is_cut = dbt_resource_props["config"].get("meta", {}).get("cut", False)
        return {"cut": ""} if is_cut else {}

    def get_automation_condition(self, dbt_resource_props: Mapping[str, Any]) -> dg.AutomationCondition | None:
        return None if dbt_resource_props["resource_type"] == "source" else FOLLOWS_THE_LEDGER

    def source_specs(
        self, manifest: Mapping[str, Any], *, only: Collection[str] | None = None, without: Collection[str] = ()
    ) -> list[dg.AssetSpec]:
        """The sources of schema `ledger` as assets that we make ourselves, under the keys that models depend on."""
        unique_ids = [
            unique_id
            for unique_id, source in manifest["sources"].items()
            if (only is None or source["name"] in only) and source["name"] not in without
        ]
        return [self.get_asset_spec(manifest, unique_id, None).replace_attributes(deps=[]) for unique_id in unique_ids]
