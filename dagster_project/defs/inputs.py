"""What the user brings: prices, names, budgets, invoices. Read before dbt runs, so what is wrong is named first."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.defs.ledger import FROM_THE_MANIFEST
from dagster_project.failures import explained
from dagster_project.resources import LedgerHome
from dagster_project.translator import ROWS, LedgerTranslator
from tracking import catalogue
from tracking.home import Home
from tracking.price_overrides import PriceOverrides
from warehouse.dimensions import NAMED, read_names

FILES = {
    "models": "prices.toml",
    "users": "dimensions/users.csv",
    "assignments": "dimensions/assignments.csv",
    "budgets": "budgets.toml",
    "invoices": "invoices",
}
"""Where in the home the user keeps them; each may be absent."""


def inputs(manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """Every source that comes neither from sealing nor from the rows."""

    @dg.multi_asset(
        name="inputs",
        specs=[
            spec.replace_attributes(group_name="inputs", kinds={"file"})
            for spec in LedgerTranslator().source_specs(manifest, without={"usage", *FROM_THE_MANIFEST})
        ],
    )
    def inputs(context: dg.AssetExecutionContext, ledger_home: LedgerHome) -> Iterator[dg.MaterializeResult]:
        for key in sorted(context.selected_asset_keys):
            with explained():
                metadata = _metadata(ledger_home.home, key.path[-1])
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    return inputs


def _metadata(home: Home, name: str) -> dict[str, Any]:
    if name == "models":
        return _catalogue(home) | _files(home.prices_toml)
    if name in NAMED:
        names, unusable = read_names(home.root / FILES[name], NAMED[name])
        return {ROWS: len(names), "unusable_lines": len(unusable)} | _files(home.root / FILES[name])
    if name == "unusable_names":
        read = (read_names(home.root / FILES[stem], column) for stem, column in NAMED.items())
        return {ROWS: sum(len(unusable) for _, unusable in read)}
    return _files(home.root / FILES[name]) if name in FILES else {}


def _catalogue(home: Home) -> dict[str, Any]:
    """Which prices there are. Loading the overrides refuses those that are malformed."""
    overrides = PriceOverrides.load(home.prices_toml)
    return {
        "catalogue": catalogue.source_version(),
        "models": sum(1 for _ in catalogue.every_model()),
        "own_prices": not overrides.is_empty,
        "prices_used": sum(1 for _ in home.prices.glob("*.json")),
    }


def _files(path: Path) -> dict[str, Any]:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path] * path.exists()
    return {
        "path": dg.MetadataValue.path(path),
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
    }
