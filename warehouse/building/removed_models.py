"""Relations of models that are no more: dbt forgets them, and they would be published for ever."""

import duckdb

from warehouse.building.dbt import model_names
from warehouse.database import quoted


def drop_removed_models(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop from `build.duckdb` what no model of the project makes any longer. Call it while holding the build lock."""
    models = model_names()
    relations = connection.execute(
        """
        select 'table', table_name, table_name from duckdb_tables() where schema_name = 'main'
        union all
        select 'view', view_name, view_name from duckdb_views() where schema_name = 'main' and not internal
        union all
        select distinct 'macro table', function_name, regexp_replace(function_name, '_as_of$', '')
        from duckdb_functions()
        where schema_name = 'main' and function_type = 'table_macro' and not internal
        """
    ).fetchall()
    for kind, name, model in relations:
        if not {model, f"int_{model}"} & models:
            connection.execute(f"drop {kind} main.{quoted(name)}")
