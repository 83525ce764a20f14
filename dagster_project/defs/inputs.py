"""What the user brings: prices, names, budgets, invoices. Read before dbt runs, so what is wrong is named first."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.defs.ledger import FROM_THE_MANIFEST
from dagster_project.lib.failures import explained
from dagster_project.lib.resources import LedgerHome
from dagster_project.lib.translator import ROWS, LedgerTranslator
from tracking.home import Home
from tracking.pricing.sources import catalogue
from tracking.pricing.sources.overrides import PriceOverrides
from warehouse.sources.inputs import input_rows


def _places(home: Home) -> dict[str, Path]:
    """Where the user keeps them; each may be absent."""
    return {
        "models": home.prices_toml,
        "users": home.users_csv,
        "assignments": home.assignments_csv,
        "budgets": home.budgets_toml,
        "invoices": home.invoices,
    }


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
        home = ledger_home.home
        with explained():
            rows, prices = input_rows(home), _catalogue(home)
        places = _places(home)
        for key in sorted(context.selected_asset_keys):
            name = key.path[-1]
            metadata = {ROWS: rows[name]} if name in rows else {}
            metadata |= prices if name == "models" else {}
            metadata |= _files(places[name]) if name in places else {}
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    return inputs


def _catalogue(home: Home) -> dict[str, Any]:
    """Which prices there are. Loading the overrides refuses those that are malformed."""
    overrides = PriceOverrides.load(home.prices_toml)
    return {
        "catalogue": catalogue.sources(),
        ROWS: sum(1 for _ in catalogue.every_model()),
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
