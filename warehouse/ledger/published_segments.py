"""Which segments the published warehouse names, in a file of its own.

The warehouse itself may be open in a program that lets nobody else read it, as most open it for writing.
"""

import json
from pathlib import Path
from typing import Any, cast

import duckdb

from tracking.durable_files import replace_file
from tracking.home import Home
from warehouse.causes import is_held
from warehouse.database import attach, connect, identity_of
from warehouse.ledger.segment_names import SEGMENT_FILE


def segments_named_in(database: Path) -> set[str]:
    """The files below `usage/` that its views read; none where it is not there."""
    if not database.exists():
        return set()
    with connect() as connection:
        attach(connection, database, "reports")
        views = connection.execute(
            "select sql from duckdb_views() where database_name = 'reports' and schema_name = 'ledger'"
        ).fetchall()
    return {file for (statement,) in views for file in SEGMENT_FILE.findall(statement)}


def note_published_segments(home: Home) -> None:
    """Remember what was just published of the build file. Call it while holding the build lock."""
    note = {"file": identity_of(home.warehouse_database), "segments": sorted(segments_named_in(home.build_database))}
    replace_file(_note(home), json.dumps(note).encode() + b"\n")


def published_segments(home: Home) -> set[str] | None:
    """The files below `usage/` that the published warehouse names; `None` where nobody can know it now."""
    try:
        note = cast("dict[str, Any]", json.loads(_note(home).read_bytes()))
        if note["file"] == identity_of(home.warehouse_database):
            return set(note["segments"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    try:
        return segments_named_in(home.warehouse_database)
    except duckdb.Error as error:
        if is_held(error):
            return None
        raise


def _note(home: Home) -> Path:
    return home.dbt / "published.json"
