"""The one door to the published warehouse: read-only, without ever waiting, and to nothing but what is published."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.database import attach, confine, connect, unescaped


@contextmanager
def open_warehouse(home: Home, *, output: Path | None = None) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """A read-only connection to the published warehouse, as it was when it was opened.

    Of all files it reaches the published one, the segments whose rows that shows, and `output`, which it may write to;
    it has no network, loads no extension, and none of that can be set otherwise. What it runs is the caller's to
    choose: a stranger's query goes through `ask`.

    The file is attached to a database of its own: DuckDB would share one opened by path with every connection this
    process still holds to that path, and so show a new reader the file from before the last build.

    Raises:
        LedgerError: nothing was published yet, the file is damaged, or it reads the segments of another place, because
            the home was moved or copied.
    """
    if not home.warehouse_database.exists():
        raise LedgerError(f"home {home.root} has no published warehouse yet: run `llm-cost build`")
    # Where it puts what does not fit into memory; by itself it would take a folder of where the process was started.
    with TemporaryDirectory() as spill, connect(config={"temp_directory": spill}) as connection:
        try:
            attach(connection, home.warehouse_database, "warehouse")
            connection.execute("use warehouse")
        except duckdb.Error as error:
            raise LedgerError(
                f"{home.warehouse_database} cannot be read: {error}; `llm-cost build` renews it"
            ) from error
        globs = _globs_of_segments(connection)
        segments = [unescaped(glob) for glob in globs]
        for place in {Path(segment).parents[1] for segment in segments}:
            if not (place.exists() and place.samefile(home.usage)):
                raise LedgerError(
                    f"{home.warehouse_database} reads the segments in {place}: this home was moved or copied; "
                    "`llm-cost build` mends that"
                )
        confine(connection, {*globs, *segments, *([str(output)] if output else [])})
        yield connection


def _globs_of_segments(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The files of segments that the published views name."""
    rows = connection.execute(
        """
        select unnest(regexp_extract_all(sql, $quoted, 1))
        from duckdb_views()
        where database_name = 'warehouse' and schema_name = 'ledger' and view_name = 'usage'
        """,
        {"quoted": r"'((?:[^']|'')*/usage_date=(?:[^']|'')*)'"},
    ).fetchall()
    return [glob.replace("''", "'") for (glob,) in rows]
