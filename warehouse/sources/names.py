"""The user's own names of users and assignments: `dimensions/users.csv` and `dimensions/assignments.csv` in the home.

Both files are optional, and late names are as good as early ones: reports show the id until the name is there.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.database import create_table

NAME = "name"
TENANT = "tenant"

UNUSABLE_NAMES = {"file": "VARCHAR", "line": "BIGINT", "reason": "VARCHAR"}


@dataclass(frozen=True, slots=True)
class UnusableName:
    """A line that names nobody, or that a later line overrides. It says where and why, never who."""

    file: str
    line: int
    reason: str


Key = tuple[str, str | None]
"""An id and its tenant; without a tenant it is every tenant's that has no line of its own."""


def create_names(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Create or replace `ledger.users`, `ledger.assignments` and `ledger.unusable_names`.

    Raises:
        LedgerError: a file that is no CSV in UTF-8 with an id and a name in its header.
    """
    problems: list[UnusableName] = []
    files = (("users", home.users_csv, "user_id"), ("assignments", home.assignments_csv, "assignment_id"))
    for table, file, id_column in files:
        names, unusable = read_names(file, id_column)
        problems += unusable
        rows = [(identity, tenant, name) for (identity, tenant), name in names.items()]
        create_table(connection, table, dict.fromkeys((id_column, TENANT, NAME), "VARCHAR"), rows)
    create_table(connection, "unusable_names", UNUSABLE_NAMES, [astuple(problem) for problem in problems])


def read_names(path: Path, id_column: str) -> tuple[dict[Key, str], list[UnusableName]]:
    """The names of one file, at most one for each id and tenant, and the lines that could not be used.

    Raises:
        LedgerError: the file cannot be read, or its header lacks the id or the name.
    """
    names: dict[Key, str] = {}
    line_of: dict[Key, int] = {}
    unusable: list[UnusableName] = []
    for line, row in _rows(path, (id_column, NAME)):
        reason = _reason(row, id_column)
        if reason:
            unusable.append(UnusableName(path.name, line, reason))
            continue
        key = (row[id_column], row.get(TENANT) or None)
        if key in names:
            unusable.append(UnusableName(path.name, line_of[key], f"named again in line {line}, which counts"))
        names[key], line_of[key] = row[NAME], line
    return names, unusable


def _reason(row: Mapping[str | None, Any], id_column: str) -> str | None:
    if None in row:
        return "more fields than the header has"
    if None in row.values():
        return "fewer fields than the header has"
    return next((f"{column} is empty" for column in (id_column, NAME) if not row[column]), None)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str | None, Any]]]:
    """Each line's number and its fields, without the spaces around them. No file, no lines."""
    try:
        # -sig: spreadsheets put a byte order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            reader.fieldnames = [field.strip().lower() for field in reader.fieldnames or ()]
            missing = [column for column in columns if column not in reader.fieldnames]
            if missing:
                raise LedgerError(f"{path}: its first line names no column {missing[0]}; expected {','.join(columns)}")
            for row in reader:
                yield (
                    reader.line_num,
                    {key: value.strip() if isinstance(value, str) else value for key, value in row.items()},
                )
    except FileNotFoundError:
        return
    except UnicodeDecodeError as error:
        raise LedgerError(f"{path} is not UTF-8 (byte {error.start})") from None
    except csv.Error as error:
        raise LedgerError(f"{path} is not valid CSV: {error}") from None
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}") from error
