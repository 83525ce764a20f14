"""Where a text still stands under a home: every byte of every file, and every value of those that compress theirs.

A text of LONG_ENOUGH bytes or more is found wherever it stands as a word of its own; a shorter one, such as a number,
only as a whole value: as a part it stands everywhere by chance.
"""

import base64
import json
import mmap
import re
import sqlite3
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import duckdb
import polars as pl

from tracking.home import Home
from tracking.journal.writer import decode_line
from warehouse.database import attach, connect, quoted
from warehouse.ledger.segments import scan

LONG_ENOUGH = 6

OF_THE_PROJECT = re.compile(r"manifest\b.*\.json|semantic_manifest\.json|partial_parse\.msgpack|graph(_summary)?\.\w+")
"""What dbt writes of the project's code alone, by name: the code's examples have users too, by the names of anybody."""

WORD = "0-9A-Za-z_-"
SQLITE = b"SQLite format 3\0"
TEXTLESS = ("BIGINT", "DATE", "DOUBLE", "BOOLEAN")


@dataclass(frozen=True, slots=True)
class Found:
    """One place: a path below the home, the column where the file has columns, and how many values or occurrences."""

    path: str
    column: str | None
    count: int


class Search(ABC):
    """Looks through every file below a home; what it looks for is its subclasses'."""

    def search(self, home: Home) -> list[Found]:
        """Every place below the home, by path."""
        finds: list[Found] = []
        everything = {path for folder in {home.root, home.workplace} for path in folder.rglob("*")}
        everything -= {path for path in everything if home.dbt in path.parents and OF_THE_PROJECT.fullmatch(path.name)}
        for file in sorted(path for path in everything if path.is_file() and not path.is_symlink()):
            path = (file.relative_to(home.root) if file.is_relative_to(home.root) else file).as_posix()
            try:
                columns = self._columns(file)
                places = {name: count for name, count in sorted(columns.items()) if count}
                finds += [Found(path, column, count) for column, count in places.items()]
                if not places and (count := self._plain(file)):
                    finds.append(Found(path, None, count))
            except FileNotFoundError:
                continue  # a journal that was sealed meanwhile, a lock that was let go
        return finds

    def _columns(self, file: Path) -> Mapping[str, int]:
        """By column, of files that have such; one that cannot be read as what it is called has none."""
        try:
            if file.suffix == ".parquet":
                return self._parquet(file)
            if file.suffix == ".duckdb":
                return self._duckdb(file)
            if file.suffix in (".log", ".jsonl"):
                return self._json_lines(file)
            with file.open("rb") as content:
                is_sqlite = content.read(len(SQLITE)) == SQLITE
            return self._sqlite(file) if is_sqlite else {}
        except (pl.exceptions.PolarsError, duckdb.Error, sqlite3.Error):
            return {}

    def _parquet(self, file: Path) -> Mapping[str, int]:
        frame = scan(file, None)
        texts = [name for name, kind in frame.collect_schema().items() if kind == pl.String]
        counts = frame.select(*(self._stands_in_column(name).sum() for name in texts)).collect(engine="streaming")
        return counts.row(0, named=True)

    def _duckdb(self, file: Path) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        with connect() as connection:
            attach(connection, file, "searched")
            columns = connection.execute(
                "select schema_name, table_name, column_name from duckdb_columns()"
                " inner join duckdb_tables() using (database_name, schema_name, table_name)"
                " where database_name = 'searched' and data_type not in (select unnest(?))",
                [list(TEXTLESS)],
            ).fetchall()
            for schema, table, column in columns:
                relation = f"searched.{quoted(schema)}.{quoted(table)}"
                condition, wanted = self._sql(column)
                query = f"select count(*) from {relation} where {condition}"
                counts[f"{table}.{column}"] = connection.execute(query, wanted).fetchall()[0][0]
        return counts

    def _sqlite(self, file: Path) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
            for (table,) in tables:
                rows = connection.execute(f'select * from "{table}"')
                columns = [description[0] for description in rows.description]
                for row in rows:
                    for column, value in zip(columns, cast("tuple[Any, ...]", row), strict=True):
                        counts[f"{table}.{column}"] += self._stands_in(value, column)
        return counts

    def _json_lines(self, file: Path) -> Mapping[str, int]:
        """Of journals and quarantine; a line that is neither counts as one column."""
        counts: Counter[str] = Counter()
        with file.open("rb") as lines:
            for line in lines:
                fields = _fields(line.rstrip(b"\n"))
                if fields is None:
                    counts["damaged line"] += bool(self._in_bytes(line))
                    continue
                for name, value in self._of_line(fields).items():
                    encoded = base64.b64decode(value) if name == "line_base64" else value
                    counts[name] += self._stands_in(encoded, name)
        return counts

    def _of_line(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """What of a line of JSON is looked at."""
        return fields

    def _plain(self, file: Path) -> int:
        if not file.stat().st_size:
            return 0
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return self._in_bytes(content, is_file=True)

    @abstractmethod
    def _stands_in_column(self, name: str) -> pl.Expr:
        """Of each value of a column of text, whether it is found there."""

    @abstractmethod
    def _sql(self, column: str) -> tuple[str, list[Any]]:
        """The same as SQL, of a column of any type, and its parameters."""

    @abstractmethod
    def _stands_in(self, value: object, name: str) -> bool:
        """Whether it is found in a value of plain JSON, or in bytes, of a field of that name."""

    @abstractmethod
    def _in_bytes(self, content: bytes | mmap.mmap, *, is_file: bool = False) -> int:
        """How often it is found in bytes; whether they are a whole file of any kind."""


class Canary(Search):
    """Looks for one text, as it is and as JSON writes it."""

    def __init__(self, text: str) -> None:
        self._long = len(text.encode()) >= LONG_ENOUGH
        forms = written_forms(text)
        self._value = re.compile(self._pattern("|".join(re.escape(form) for form in forms)))
        # No two engines escape alike, but code points are the same to all of them.
        self._engine_value = self._pattern("|".join("".join(_code_point(char) for char in form) for form in forms))
        encoded = b"|".join(re.escape(form.encode()) for form in forms)
        word = WORD.encode()
        self._bytes = re.compile(
            b"(?<![%b])(?:%b)(?![%b])" % (word, encoded, word) if self._long else b'"(?:%b)"' % encoded
        )

    def _pattern(self, forms: str) -> str:
        return f"(?:^|[^{WORD}])(?:{forms})(?:[^{WORD}]|$)" if self._long else f'^(?:{forms})$|"(?:{forms})"'

    def _stands_in_column(self, name: str) -> pl.Expr:
        return pl.col(name).str.contains(self._engine_value)

    def _sql(self, column: str) -> tuple[str, list[Any]]:
        return f"regexp_matches({quoted(column)}::varchar, ?)", [self._engine_value]

    def _stands_in(self, value: object, name: str) -> bool:
        if isinstance(value, bytes):
            return bool(self._bytes.search(value))
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        return bool(self._value.search(text))

    def _in_bytes(self, content: bytes | mmap.mmap, *, is_file: bool = False) -> int:
        if is_file and not self._long and content.find(b"\0") >= 0:
            return 0
        return sum(1 for _ in self._bytes.finditer(content))


def written_forms(text: str) -> list[str]:
    """A text as it is, and as one writer of JSON or another escapes it."""
    return sorted({text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]})


def _code_point(char: str) -> str:
    return f"\\x{{{ord(char):x}}}"


def _fields(line: bytes) -> dict[str, Any] | None:
    content = decode_line(line)
    try:
        value = json.loads(line if content is None else content)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
