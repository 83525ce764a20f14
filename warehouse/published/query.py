"""Questions of others to the published warehouse: one query at a time, which reads and does nothing else.

What a query is, DuckDB's own parser says; what it may reach, the connection it is asked on (`open_warehouse`).
"""

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from threading import Timer
from typing import Any

import duckdb

from tracking.errors import ArgumentError, CostTrackingError

READING = "SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, or EXPLAIN of one of these"


TABLE_FUNCTIONS = frozenset(
    {
        *("range", "generate_series", "unnest", "repeat", "repeat_row", "summary", "histogram", "histogram_values"),
        *("json_each", "json_tree", "query_table", "icu_calendar_names", "pg_timezone_names"),
        *("duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_functions", "duckdb_indexes"),
        *("duckdb_keywords", "duckdb_schemas", "duckdb_sequences", "duckdb_settings", "duckdb_tables", "duckdb_types"),
        *("duckdb_views", "pragma_database_size", "pragma_show", "pragma_storage_info", "pragma_table_info"),
        "pragma_version",
    }
)
"""What may be called besides what is published. Others read files, take pointers, run a text as a query, or turn on
logs and profiles: DuckDB 1.5.6 ends the whole process where it may not write those."""


class QueryError(CostTrackingError):
    """DuckDB refused a query, or gave it up."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query found. No two columns have one name; `cut_off` where there are more rows than were wanted."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    cut_off: bool = False


def ask(
    connection: duckdb.DuckDBPyConnection, query: str, *, most: int | None = None, seconds: float | None = None
) -> QueryResult:
    """What one query finds: all of it or its first `most` rows, within so many seconds.

    Raises:
        ArgumentError: it is not exactly one query, or one that does more than read.
        QueryError: DuckDB refuses it, or it takes longer.
    """
    with refusals(), time_limit(connection, seconds):
        refuse_unless_reading(connection, query)
        connection.execute(query)
        columns = distinct(column[0] for column in connection.description or [])
        rows = connection.fetchall() if most is None else connection.fetchmany(most + 1)
    return QueryResult(columns, rows[:most], most is not None and len(rows) > most)


def refuse_unless_reading(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raise `ArgumentError` unless a text is exactly one statement, and that only reads."""
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        kinds = ", ".join(statement.type.name for statement in statements)
        raise ArgumentError("query", f"holds {len(statements)} statements{kinds and f' ({kinds})'}, expected one")
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        kind, query = _explained(connection, query)
    ((syntax_tree,),) = connection.execute("select json_serialize_sql(?)", [query]).fetchall()
    functions = set[str]()
    # A PRAGMA is a SELECT to `extract_statements`, and none that can be serialized.
    if (
        kind != duckdb.StatementType.SELECT
        or json.loads(syntax_tree, object_hook=partial(_note_table_function, functions))["error"]
    ):
        raise ArgumentError("query", f"is {kind.name}, but what is published is read-only: expected {READING}")
    published = "select lower(function_name) from duckdb_functions() where database_name = current_database()"
    functions -= TABLE_FUNCTIONS | {name for (name,) in connection.execute(published).fetchall()}
    if functions:
        raise ArgumentError("query", f"calls {', '.join(sorted(functions))}, which is none of what only reads reports")


def _note_table_function(functions: set[str], node: dict[str, Any]) -> dict[str, Any]:
    if node.get("type") == "TABLE_FUNCTION":
        functions.add(node["function"]["function_name"].lower())
    return node


def without_semicolon(query: str) -> str:
    """One statement as it can stand between brackets; what it says after its end is left out."""
    encoded = query.encode()
    for offset, kind in duckdb.tokenize(query):
        if kind == duckdb.token_type.operator and encoded[offset : offset + 1] == b";":
            return encoded[:offset].decode()
    return query


def distinct(names: Iterable[str]) -> list[str]:
    """Each name once: the second `n` is `n_1`, as DuckDB itself would name it."""
    names = list(names)
    taken, names_so_far = set(names), set[str]()
    for position, name in enumerate(names):
        if name in names_so_far:
            names[position] = next(other for number in count(1) if (other := f"{name}_{number}") not in taken)
            taken.add(names[position])
        names_so_far.add(names[position])
    return names


@contextmanager
def refusals() -> Generator[None, None, None]:
    """Have what DuckDB refuses said in one line; so too a value that Python has no room for."""
    try:
        yield
    except (duckdb.Error, OverflowError, RecursionError) as error:
        raise QueryError(str(error).strip().partition("\n")[0]) from error


@contextmanager
def time_limit(connection: duckdb.DuckDBPyConnection, seconds: float | None) -> Generator[None, None, None]:
    """Have DuckDB give up what it does on this connection after so many seconds."""
    if seconds is None:
        yield
        return
    timer = Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryError(f"the query took longer than {seconds:g} s") from error
    finally:
        timer.cancel()


def _explained(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[duckdb.StatementType, str]:
    """What an EXPLAIN is of. ANALYZE runs it, a COPY too, and the parser says no more than that it is an EXPLAIN.

    It is the first rest of the text that is a statement by itself: neither ANALYZE nor options before it can be one.
    """
    encoded = query.encode()
    for offset, _ in duckdb.tokenize(query)[1:]:
        rest = encoded[offset:].decode()
        try:
            statements = connection.extract_statements(rest)
        except duckdb.Error:
            continue
        if len(statements) == 1:
            return statements[0].type, rest
    return duckdb.StatementType.EXPLAIN, query
