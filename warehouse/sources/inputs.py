"""What the user brings, as dbt reads it: names, budgets, invoices, discounts."""

import duckdb

from tracking.home import Home
from warehouse.database import connect, quoted
from warehouse.sources.budgets import create_budgets
from warehouse.sources.discounts import create_discounts
from warehouse.sources.invoices import create_invoices
from warehouse.sources.names import create_names


def create_inputs(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Create or replace the tables of schema `ledger` that are made of the user's own files.

    Raises:
        LedgerError: a file is malformed.
    """
    for create in (create_names, create_budgets, create_invoices, create_discounts):
        create(connection, home)


def input_rows(home: Home) -> dict[str, int]:
    """How many rows a build would read of each source, by its name.

    Raises:
        LedgerError: as the build would.
    """
    with connect() as connection:
        connection.execute("create schema ledger")
        create_inputs(connection, home)
        tables = connection.execute("select table_name from duckdb_tables() where schema_name = 'ledger'").fetchall()
        return {
            name: connection.execute(f"select count(*) from ledger.{quoted(name)}").fetchall()[0][0]
            for (name,) in tables
        }
