"""Reading the published warehouse, read-only and without ever waiting."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.database import attach, connect, unescaped


@contextmanager
def open_warehouse(home: Home) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """A read-only connection to the published warehouse, as it was when it was opened.

    The file is attached to a database of its own: DuckDB would share one opened by path with every connection this
    process still holds to that path, and so show a new reader the file from before the last build.

    Raises:
        LedgerError: nothing was published yet, the file is damaged, or it reads the segments of another place, because
            the home was moved or copied.
    """
    if not home.warehouse_database.exists():
        raise LedgerError(f"home {home.root} has no published warehouse yet: run `llm-cost build`")
    with connect() as connection:
        try:
            attach(connection, home.warehouse_database, "warehouse")
            connection.execute("use warehouse")
        except duckdb.Error as error:
            raise LedgerError(
                f"{home.warehouse_database} cannot be read: {error}; `llm-cost build` renews it"
            ) from error
        place = _place_of_segments(connection)
        if place is not None and not (place.exists() and place.samefile(home.usage)):
            raise LedgerError(
                f"{home.warehouse_database} reads the segments in {place}: this home was moved or copied; "
                "`llm-cost build` mends that"
            )
        yield connection


def _place_of_segments(connection: duckdb.DuckDBPyConnection) -> Path | None:
    """The folder whose files the published views name; `None` where there are none."""
    row = connection.execute(
        """
        select regexp_extract(sql, $quoted, 1)
        from duckdb_views()
        where database_name = 'warehouse' and schema_name = 'ledger' and view_name = 'usage'
        """,
        {"quoted": r"'((?:[^']|'')*)/usage_date="},
    ).fetchone()
    if row is None or not row[0]:
        return None
    return Path(unescaped(row[0].replace("''", "'")))
