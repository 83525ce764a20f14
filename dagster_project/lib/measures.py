"""Built and published relations as metadata of assets. Money is exact text; micro_usd is the number to plot."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_project.lib.charts import ROWS as BARS
from dagster_project.lib.charts import bar_chart, column_chart
from dagster_project.lib.translator import ROWS
from tracking.home import Home
from warehouse.published.proof import Sums
from warehouse.published.relations import Costs, Relation, built_relations, published_relations

CHART = "chart"


def built_measures(home: Home) -> dict[str, dict[str, Any]]:
    """By relation: its rows and, where it is a cut of the ledger, its sums and a chart."""
    return _by_relation(built_relations(home, highest=BARS))


def published_measures(home: Home) -> dict[str, dict[str, Any]]:
    """The same of what readers see."""
    return _by_relation(published_relations(home, highest=BARS))


def _by_relation(relations: Mapping[str, Relation]) -> dict[str, dict[str, Any]]:
    return {name: _measures(relation) for name, relation in relations.items()}


def as_metadata(sums: Sums) -> dict[str, Any]:
    """Integers as they are; USD as decimal text, to the last of its 12 places."""
    return {name: value if isinstance(value, int) else f"{value:f}" for name, value in sums.items()}


def _measures(relation: Relation) -> dict[str, Any]:
    chart = _chart(relation.costs) if relation.costs else None
    return {ROWS: relation.rows} | as_metadata(relation.sums or {}) | ({CHART: chart} if chart else {})


def _chart(costs: Costs) -> dg.MarkdownMetadataValue | None:
    """The cost over time where there are dates, else of the largest of what it is by."""
    if costs.kind == "over_time":
        return column_chart(f"USD by {costs.column}", costs.values)
    by_rank = " by rank" if costs.kind == "ranked" else ""
    return bar_chart(f"USD by {costs.column}, the largest{by_rank}", costs.values)
