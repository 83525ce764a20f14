"""Exporting what a query finds: CSV or Parquet, whole or not at all, every digit of the money kept."""

from enum import StrEnum
from pathlib import Path

import duckdb

from tracking.errors import ArgumentError
from warehouse.database import literal, quoted
from warehouse.published.named_files import refuse_existing, writing


class ExportFormat(StrEnum):
    """What a file can be, by the option that asks for it."""

    CSV = "csv"
    PARQUET = "parquet"


OPTIONS = {ExportFormat.CSV: "format csv, header", ExportFormat.PARQUET: "format parquet, compression zstd"}

WIDE_INTEGERS = frozenset({"HUGEINT", "UHUGEINT"})
"""What a sum of whole numbers is. DuckDB writes them to Parquet as DOUBLE: 9007199254740993 comes back as …992."""


def export(
    connection: duckdb.DuckDBPyConnection, query: str, path: Path, kind: ExportFormat, *, overwrite: bool = False
) -> int:
    """Write what one query finds to a file, mode 0600; returns the number of rows.

    Raises:
        ArgumentError: there is not exactly one query.
        LedgerError: the file exists and may not be overwritten, or cannot be written.
        duckdb.Error: DuckDB refuses the query.
    """
    if not overwrite:
        refuse_existing(path)
    with writing(path) as temporary:
        return _copy(connection, query, temporary, kind)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path, kind: ExportFormat) -> int:
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise ArgumentError("query", f"holds {len(statements)} statements, expected one")
    # On a line of its own: the query may end in a comment.
    selected = f"({query.strip().rstrip(';')}\n)"
    columns = connection.execute(f"describe from {selected}").fetchall()
    names = [quoted(name) for name, *_ in columns]
    exact = [
        f"{name}::decimal(38, 0) as {name}" if column[1] in WIDE_INTEGERS else name
        for name, column in zip(names, columns, strict=True)
    ]
    connection.execute(
        f"copy (select {', '.join(exact)} from {selected} as found({', '.join(names)})) "
        f"to {literal(str(path))} ({OPTIONS[kind]}, use_tmp_file false)"
    )
    (rows,) = connection.fetchall()[0]
    return rows
