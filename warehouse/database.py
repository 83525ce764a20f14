"""The one way DuckDB is opened and spoken to: in UTC, names and texts quoted, paths taken for the files they are."""

import glob
import json
import re
import shutil
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tracking.durable_files import make_directory, replacing, set_mode

SETTINGS: Mapping[str, str | int] = {
    # Nothing is fetched, and no variable of the Python that asks is taken for a table.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
}
BACKSLASH = "[!]-\x7f\x01-[]"
"""A backslash in one of DuckDB's globs, as the one character between `[` and `]`: itself it would part folders."""


@contextmanager
def connect(
    path: Path | None = None, *, read_only: bool = False, config: Mapping[str, str | int] | None = None
) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """Open a database file (in its folder's mode where it is written to), or one in memory; closed at the end.

    `config`: settings that DuckDB takes only when it opens.
    """
    if path is not None and not read_only:
        make_directory(path.parent)
    with duckdb.connect(path or ":memory:", read_only=read_only, config={**SETTINGS, **(config or {})}) as connection:
        if path is not None and not read_only:
            set_mode(path)
        connection.execute("set TimeZone = 'UTC'")
        yield connection


@contextmanager
def new_database(
    path: Path, workplace: Path, check: Callable[[Path], None] | None = None
) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """A new database, which DuckDB writes in `workplace`; on leaving without error it becomes `path`, durably.

    `check`, if given, is called with the closed file before that, and raises where it is not what it should be.
    """
    with replacing(path) as temporary:
        working_file = workplace / temporary.name
        try:
            with connect(working_file) as connection:
                yield connection
                # Closing does so too, but says nothing where the disk was full.
                connection.execute("checkpoint")
            if check is not None:
                check(working_file)
            if working_file != temporary:
                shutil.move(working_file, temporary)
        finally:
            for file in database_files(working_file)[working_file == temporary :]:
                file.unlink(missing_ok=True)


def database_files(path: Path) -> tuple[Path, Path]:
    """A database's file and its write-ahead log, which is there only while somebody writes, or after a crash."""
    return path, path.with_name(f"{path.name}.wal")


def identity_of(database: Path) -> str | None:
    """Another one for every file that was ever put there, and for one that was written to; `None` where there is none.

    What a crash or a full disk left in DuckDB's write-ahead log is part of the database.
    """
    try:
        found = [path.stat() for path in database_files(database) if path == database or path.exists()]
    except FileNotFoundError:
        return None
    return " ".join(f"{each.st_ino} {each.st_size} {each.st_mtime_ns}" for each in found)


def attach(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Have a connection read another database file too, under a name of its own."""
    connection.execute(f"attach {literal(str(path))} as {quoted(name)} (read_only)")


def confine(connection: duckdb.DuckDBPyConnection, files: Iterable[str]) -> None:
    """Take from a connection, for good, every file but these and the databases it has open, the network and settings.

    A glob opens what it finds only where that is named too.
    """
    connection.execute(f"set allowed_paths = [{', '.join(literal(file) for file in files)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """The name of a relation or a column as SQL."""
    return '"' + name.replace('"', '""') + '"'


def parquet_files(paths: Iterable[Path], *, filename: bool = False) -> str:
    """The rows of Parquet files as SQL, columns by name; with `filename` each row says which file it is from.

    DuckDB takes every path for a glob, which would find other files than these, or none.
    """
    names = ", ".join(literal(escaped(str(path))) for path in paths)
    said = ", filename = true" if filename else ""
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false{said})"


def escaped(path: str) -> str:
    """The glob that DuckDB finds this path by, and no other."""
    return glob.escape(path).replace("\\", BACKSLASH)


def unescaped(pattern: str) -> str:
    """The path that `escaped` made this glob of."""
    return re.sub(r"\[([*?\[])\]", r"\1", pattern.replace(BACKSLASH, "\\"))


def create_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[object]]
) -> None:
    """Create or replace a table of schema `ledger` with these columns (name to DuckDB type) and rows."""
    typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"create or replace table ledger.{name} ({typed})")
    insert_rows(connection, name, columns, rows)


def insert_rows(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[object]]
) -> None:
    """Add rows to a table of schema `ledger` that has these columns."""
    if rows:
        # One parameter, as text: of each value that is a parameter DuckDB asks Python anew whether pandas can be
        # imported, 0.1 ms where it is not installed (the 56,000 values of `ledger.models`: 5.6 s, so 0.2 s).
        objects = json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str)
        connection.execute(
            f"insert into ledger.{name} select unnest(json_transform_strict(?::json, ?), recursive := true)",
            [objects, json.dumps([dict(columns)])],
        )
