"""Whether the published reports are made from all that a build would make them from: then it has nothing to do.

What they were made from is noted in `build.duckdb`, which goes with it. Of the clock a report knows only which rows are
dated later than today: another day makes it stale where such rows have had their day since.
"""

import hashlib
from datetime import date
from importlib.metadata import version

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.building.dbt import dbt_variables, project_hash
from warehouse.building.publish import INTERNAL_PREFIX
from warehouse.database import connect, identity_of
from warehouse.source_code import code_hash

NOTE = "ledger.int_published"
ROWS = "select count(*), sha256(string_agg(rows::varchar, chr(10) order by rows::varchar)) from ledger.{table} as rows"
PACKAGES = ("dbt-core", "dbt-duckdb", "duckdb")


def inputs_of(home: Home, status_date: date | None = None) -> str:
    """A hash of everything that the published reports are made from: the prepared sources to the last value, the
    models, the settings and the code. Call it while holding the build lock, after `prepare`.

    Raises:
        LedgerError: `build.duckdb` cannot be read.
    """
    digest = hashlib.sha256()
    parts = [project_hash(), code_hash(__name__), dbt_variables(home.settings()), status_date]
    for part in [*parts, *map(version, PACKAGES)]:
        digest.update(f"{part}\0".encode())
    try:
        with connect(home.build_database, read_only=True) as connection:
            for source in _sources(connection):
                digest.update(f"{source}\0".encode())
    except duckdb.Error as error:
        raise LedgerError(f"{home.build_database} cannot be read: {error}") from error
    return digest.hexdigest()


def is_published(home: Home, inputs: str, today: date) -> bool:
    """Whether the published file is there, and the one that was made from these inputs, as it would be `today`."""
    with connect(home.build_database, read_only=True) as connection:
        try:
            note = connection.execute(f"select inputs, file, today from {NOTE}").fetchone()
        except (duckdb.CatalogException, duckdb.BinderException):
            return False
        return (
            note is not None
            and note[:2] == (inputs, identity_of(home.warehouse_database))
            and not _has_rows_between(connection, note[2], today)
        )


def _has_rows_between(connection: duckdb.DuckDBPyConnection, noted_day: date, today: date) -> bool:
    """Whether any row was dated later than today when the reports were made and is not now, or the reverse."""
    if connection.execute("select 1 from duckdb_tables() where table_name = 'int_cost_daily'").fetchone() is None:
        return False
    found = connection.execute(
        "select 1 from main.int_cost_daily where reporting_date > $1 and reporting_date <= $2 limit 1",
        [min(noted_day, today), max(noted_day, today)],
    )
    return found.fetchone() is not None


def note_published(home: Home, inputs: str, today: date) -> None:
    """Remember that the published file was made `today` from these inputs. Call it while holding the build lock."""
    with connect(home.build_database) as connection:
        connection.execute(
            f"create or replace table {NOTE} as select $1 as inputs, $2 as file, $3::date as today",
            [inputs, identity_of(home.warehouse_database), today],
        )


def forget_published(connection: duckdb.DuckDBPyConnection) -> None:
    """Have the next build make the reports anew, whatever they were made from."""
    connection.execute(f"drop table if exists {NOTE}")


def _sources(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What dbt reads: each view's SQL, which names the live segments, and each table's columns and rows."""
    views = connection.execute(
        "select sql from duckdb_views() where schema_name = 'ledger' and not internal order by view_name"
    ).fetchall()
    tables = connection.execute(
        """
        select table_name, sql
        from duckdb_tables()
        where schema_name = 'ledger' and not starts_with(table_name, ?)
        order by table_name
        """,
        [INTERNAL_PREFIX],
    ).fetchall()
    rows = [connection.execute(ROWS.format(table=name)).fetchone() for name, _ in tables]
    return [str(part) for part in [*views, *tables, *rows]]
