"""The published warehouse as one file that goes anywhere: every report and every row as a table."""

import os
from pathlib import Path

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from tracking.home.paths import is_mistaken
from warehouse.causes import in_one_line
from warehouse.database import attach, literal, new_database, quoted
from warehouse.published.named_files import refuse_existing
from warehouse.published.read import open_warehouse


def export_standalone(home: Home, path: Path, *, overwrite: bool = False) -> int:
    """Write a DuckDB file (mode 0600) with all that is published; returns how many tables it has.

    Raises:
        LedgerError: nothing is published, it cannot be read, or the file exists and may not be overwritten, or cannot
            be written.
    """
    if not overwrite:
        refuse_existing(path)
    with open_warehouse(home):
        pass  # says what is wrong with it
    umask = os.umask(0o077)
    try:
        with new_database(path, home.workplace if is_mistaken(path) else path.parent) as connection:
            return _copy(connection, home.warehouse_database)
    except (duckdb.Error, OSError) as error:
        raise LedgerError(f"{path} cannot be written: {in_one_line(error)}") from error
    finally:
        os.umask(umask)


def _copy(connection: duckdb.DuckDBPyConnection, source: Path) -> int:
    """Views become tables too: theirs are the segments, which stay where they are."""
    target = quoted(connection.execute("select current_database()").fetchall()[0][0])
    attach(connection, source, "published")
    # What the views rest on is named without its database.
    connection.execute("use published")
    relations = connection.execute(
        """
        select schema_name, table_name, comment from duckdb_tables() where database_name = 'published'
        union all
        select schema_name, view_name, comment from duckdb_views() where database_name = 'published' and not internal
        order by all
        """
    ).fetchall()
    for schema, name, comment in relations:
        table = f"{target}.{quoted(schema)}.{quoted(name)}"
        connection.execute(f"create schema if not exists {target}.{quoted(schema)}")
        connection.execute(f"create table {table} as from {quoted(schema)}.{quoted(name)}")
        if comment is not None:
            connection.execute(f"comment on table {table} is {literal(comment)}")
    connection.execute(f"use {target}")
    connection.execute("detach published")
    return len(relations)
