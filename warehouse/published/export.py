"""Exporting what a query finds: CSV or Parquet, whole or not at all, every digit of the money kept."""

import re
from enum import StrEnum
from pathlib import Path

import duckdb

from tracking.home import Home
from warehouse.database import literal, quoted
from warehouse.published.named_files import refuse_existing, writing
from warehouse.published.query import refusals, refuse_unless_reading, time_limit, without_semicolon
from warehouse.published.read import open_warehouse


class ExportFormat(StrEnum):
    """What a file can be, by the option that asks for it."""

    CSV = "csv"
    PARQUET = "parquet"


OPTIONS = {ExportFormat.CSV: "format csv, header", ExportFormat.PARQUET: "format parquet, compression zstd"}

WIDE_INTEGER = re.compile(r"\bU?HUGEINT\b")
"""What a sum of whole numbers is. DuckDB writes them to Parquet as DOUBLE: 9007199254740993 comes back as …992."""

NEVER_A_FORMULA = re.compile(r"(U?(TINY|SMALL|BIG)?INT(EGER)?|DECIMAL\(.*\)|FLOAT|DOUBLE|BOOLEAN|DATE|TIMESTAMP.*)")
"""Types whose cells stay as they are: a negative amount is a number."""

FORMULA = r"^\s*[=+\-@\t\r\n＝＋－＠]"
"""The start of a text that a spreadsheet may take for a formula: https://owasp.org/www-community/attacks/CSV_Injection"""

NUMBER = r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"


def export(
    home: Home,
    query: str,
    path: Path,
    kind: ExportFormat,
    *,
    overwrite: bool = False,
    most: int | None = None,
    seconds: float | None = None,
) -> int:
    """Write what one query finds in the published warehouse to a file; returns the number of rows, at most `most`.

    A text in CSV that a spreadsheet would take for a formula has an apostrophe before it. Parquet has it as it is.

    Raises:
        ArgumentError: it is not exactly one query, or one that does more than read.
        LedgerError: nothing is published, or the file exists and may not be overwritten, or cannot be written.
        QueryError: DuckDB refuses the query, or it takes longer than so many seconds.
    """
    if not overwrite:
        refuse_existing(path)
    with (
        writing(path) as temporary,
        open_warehouse(home, output=temporary) as connection,
        refusals(),
        time_limit(connection, seconds),
    ):
        refuse_unless_reading(connection, query)
        return _copy(connection, without_semicolon(query), temporary, kind, most)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path, kind: ExportFormat, most: int | None) -> int:
    # On a line of its own: the query may end in a comment.
    subquery = f"({query}\n)"
    columns = [(name, type_name) for name, type_name, *_ in connection.execute(f"describe from {subquery}").fetchall()]
    written = ", ".join(_column(name, type_name, kind) for name, type_name in columns)
    names = ", ".join(quoted(name) for name, _ in columns)
    limit = "" if most is None else f" limit {most:d}"
    connection.execute(
        f"copy (select {written} from {subquery} as found({names}){limit}) "
        f"to {literal(str(path))} ({OPTIONS[kind]}, use_tmp_file false)"
    )
    (rows,) = connection.fetchall()[0]
    return rows


def _column(name: str, type_name: str, kind: ExportFormat) -> str:
    column = quoted(name)
    exact = WIDE_INTEGER.sub("DECIMAL(38,0)", type_name)
    if exact != type_name:
        column = f"{column}::{exact}"
    if kind is not ExportFormat.CSV:
        return f"{column} as {quoted(name)}"
    if NEVER_A_FORMULA.fullmatch(exact):
        return f"{column} as {quoted(_defused(name))}"
    text = f"{column}::varchar"
    formula = f"regexp_matches({text}, {literal(FORMULA)}) and not regexp_full_match({text}, {literal(NUMBER)})"
    return f"case when {formula} then '''' || {text} else {text} end as {quoted(_defused(name))}"


def _defused(name: str) -> str:
    return f"'{name}" if re.match(FORMULA, name) else name
