"""Publishing: the marts in one DuckDB file that replaces the last one atomically, so no reader ever waits."""

from pathlib import Path

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.building.tested import require_tested
from warehouse.causes import in_one_line
from warehouse.database import attach, connect, database_files, literal, new_database, quoted
from warehouse.ledger.published_segments import note_published_segments

INTERNAL_PREFIX = "int_"
"""Intermediate models stay in the build file; everything else dbt makes is published."""


def publish(home: Home) -> None:
    """Copy what dbt built into a new `warehouse.duckdb` and put it in place of the old one.

    Readers of the old file keep it until they close it. Call it while holding the build lock.

    Raises:
        BuildError: not every test has passed on what is built.
        LedgerError: the file cannot be written, or does not hold what it should; the old one stays.
    """
    require_tested(home)
    _, log = database_files(home.warehouse_database)
    for leftover in home.root.glob(f".{home.warehouse_database.name}.*.tmp*"):
        leftover.unlink()
    expected: Relations = {}
    log.unlink(missing_ok=True)
    try:
        with new_database(
            home.warehouse_database, home.workplace, check=lambda written: _check(written, expected)
        ) as connection:
            expected |= _copy(connection, home.build_database)
    except (duckdb.Error, OSError) as error:
        raise LedgerError(f"{home.warehouse_database} cannot be written: {in_one_line(error)}") from error
    note_published_segments(home)


Relations = dict[str, int | None]
"""What there is, by schema and name, with the number of its rows where it is a table."""


def _copy(connection: duckdb.DuckDBPyConnection, source: Path) -> Relations:
    """Make of what is built what readers see; returns what that must hold."""
    attach(connection, source, "build")
    connection.execute("create schema ledger")
    for schema, table in _tables(connection):
        connection.execute(f"create table {schema}.{quoted(table)} as from build.{schema}.{quoted(table)}")
    _create_all(connection, _views(connection) + _table_macros(connection))
    for statement in _comment_statements(connection):
        connection.execute(statement)
    relations = _relations(connection, "build")
    connection.execute("detach build")
    return relations


def _check(database: Path, expected: Relations) -> None:
    """Refuse a file that has not all of it in itself: what replaces the last one goes without its write-ahead log."""
    _, log = database_files(database)
    log.unlink(missing_ok=True)
    with connect() as connection:
        attach(connection, database, "written")
        actual = _relations(connection, "written")
    if actual != expected:
        wrong = min(name for name in actual.keys() | expected.keys() if actual.get(name, -1) != expected.get(name, -1))
        raise LedgerError(
            f"{database} holds {len(actual):,} relations of {len(expected):,}; "
            f"{wrong} has {actual.get(wrong)} rows, expected {expected.get(wrong)}"
        )


def _relations(connection: duckdb.DuckDBPyConnection, database: str) -> Relations:
    """Of what is published, everything in a database: tables with their rows, views and macros."""
    rows = connection.execute(
        """
        select true, schema_name, table_name
        from duckdb_tables()
        where database_name = $database and not internal and not starts_with(table_name, $prefix)
        union all
        select false, schema_name, view_name from duckdb_views() where database_name = $database and not internal
        union all
        select false, schema_name, function_name
        from duckdb_functions()
        where database_name = $database and function_type = 'table_macro' and not internal
        """,
        {"database": database, "prefix": INTERNAL_PREFIX},
    ).fetchall()
    return {
        f"{schema}.{name}": _rows(connection, f"{database}.{schema}.{quoted(name)}") if is_table else None
        for is_table, schema, name in rows
    }


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return connection.execute(f"select count(*) from {table}").fetchall()[0][0]


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return connection.execute(
        """
        select schema_name, table_name
        from duckdb_tables()
        where database_name = 'build' and not internal and not starts_with(table_name, ?)
        order by 1, 2
        """,
        [INTERNAL_PREFIX],
    ).fetchall()


def _create_all(connection: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
    """Run statements that rest on one another; DuckDB does not say on which: what has to wait is tried again."""
    waiting = statements
    while waiting:
        retries: list[str] = []
        for statement in waiting:
            try:
                connection.execute(statement)
            except duckdb.CatalogException:
                retries.append(statement)
        if len(retries) == len(waiting):
            connection.execute(retries[0])
        waiting = retries


def _views(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The build file's views by their own statements, none of which names the file it was made in."""
    rows = connection.execute(
        "select sql from duckdb_views() where database_name = 'build' and not internal order by view_oid"
    ).fetchall()
    return [statement for (statement,) in rows]


def _table_macros(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The reports as they were known at an instant, over the published views."""
    rows = connection.execute(
        """
        select
            'create macro ' || schema_name || '."' || function_name || '"(' || array_to_string(parameters, ', ')
            || ') as table ' || macro_definition
        from duckdb_functions()
        where database_name = 'build' and function_type = 'table_macro'
        order by function_oid
        """
    ).fetchall()
    return [statement for (statement,) in rows]


def _comment_statements(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select 'comment on table ' || schema_name || '."' || table_name || '"' as target, comment
        from duckdb_tables()
        where database_name = 'build' and comment is not null and not starts_with(table_name, $prefix)
        union all
        select 'comment on view ' || schema_name || '."' || view_name || '"', comment
        from duckdb_views()
        where database_name = 'build' and comment is not null
        union all
        select 'comment on column ' || schema_name || '."' || table_name || '"."' || column_name || '"', comment
        from duckdb_columns()
        where database_name = 'build' and comment is not null and not starts_with(table_name, $prefix)
        union all
        select 'comment on macro table ' || schema_name || '."' || function_name || '"', comment
        from duckdb_functions()
        where database_name = 'build' and comment is not null and function_type = 'table_macro'
        """,
        {"prefix": INTERNAL_PREFIX},
    ).fetchall()
    return [f"{target} is {literal(comment)}" for target, comment in rows]
