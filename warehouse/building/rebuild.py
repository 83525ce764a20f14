"""Building days anew: whoever doubts a report of some days has them made again from the ledger."""

from collections.abc import Sequence
from datetime import date

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.building.up_to_date import forget_published
from warehouse.database import connect, quoted


def forget_days(home: Home, days: Sequence[date]) -> int:
    """Remove UTC days from every relation that is built by changed day; returns how many relations there are.

    The next build finds the days missing and makes them from the ledger. Until it has, only `build.duckdb` lacks them.
    Call it while holding the build lock.

    Raises:
        LedgerError: `build.duckdb` cannot be used.
    """
    if not home.build_database.exists():
        return 0
    try:
        with connect(home.build_database) as connection:
            forget_published(connection)
            relations = _relations_by_day(connection)
            for relation in relations:
                connection.execute(
                    f"delete from main.{quoted(relation)} where usage_date in (select unnest($days::date[]))",
                    {"days": list(days)},
                )
            return len(relations)
    except duckdb.Error as error:
        raise LedgerError(f"{home.build_database} cannot be changed: {error}") from error


def _relations_by_day(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select table_name
        from duckdb_columns()
        join duckdb_tables() using (database_name, schema_name, table_name)
        where schema_name = 'main' and column_name in ('usage_date', 'day_fingerprint')
        group by table_name
        having count(*) = 2
        order by table_name
        """
    ).fetchall()
    return [name for (name,) in rows]
