"""Reading the published warehouse, read-only and without ever waiting."""

from collections.abc import Generator
from contextlib import contextmanager

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.sources import literal


@contextmanager
def open_warehouse(home: Home) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """A read-only connection to the published warehouse, as it was when it was opened.

    The file is attached to a database of its own: DuckDB would share one opened by path with every connection this
    process still holds to that path, and so show a new reader the file from before the last build.

    Raises:
        LedgerError: nothing was published yet, or the file is damaged.
    """
    if not home.warehouse_database.exists():
        raise LedgerError(f"home {home.root} has no published warehouse yet: run `llm-cost build`")
    with duckdb.connect() as connection:
        try:
            connection.execute(f"attach {literal(str(home.warehouse_database))} as warehouse (read_only)")
            connection.execute("use warehouse")
        except duckdb.Error as error:
            raise LedgerError(
                f"{home.warehouse_database} cannot be read: {error}; `llm-cost build` renews it"
            ) from error
        connection.execute("set TimeZone = 'UTC'")
        yield connection
