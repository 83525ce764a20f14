"""Reading the published warehouse, read-only and without ever waiting."""

from collections.abc import Generator
from contextlib import contextmanager

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home


@contextmanager
def open_warehouse(home: Home) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """A read-only connection to the published warehouse, as it was when it was opened.

    Raises:
        LedgerError: nothing was published yet.
    """
    if not home.warehouse_database.exists():
        raise LedgerError(f"home {home.root} has no published warehouse yet: run `llm-cost build`")
    with duckdb.connect(home.warehouse_database, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
