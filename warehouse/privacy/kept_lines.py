"""What quarantine keeps, seen by its age and by its content: for retention and erasure.

Three kinds of files lie there: `refused-…` of living writers, who append at any time, so their lines are overwritten
where they lie; `import-…` of one source each; and the damaged lines of one byte range of a journal.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracking.durable_files import replace_file, sync_directory
from tracking.home import Home
from warehouse.ledger.overwrite import overwrite_lines
from warehouse.ledger.unreadable_lines import without_raw

Entry = dict[str, Any]

PROMPT_KEY = '"prompt"'
"""The prompt is the last of a line, so that what comes before it can be kept of a line nobody can parse."""


def files_older_than(home: Home, instant: datetime) -> Iterator[Path]:
    """Quarantine files that took their last line before `instant`."""
    for file in sorted(home.quarantine.glob("*.jsonl")):
        if datetime.fromtimestamp(file.stat().st_mtime, UTC) < instant:
            yield file


def remove(home: Home, file: Path) -> None:
    file.unlink()
    sync_directory(home.quarantine)


def change_entries(file: Path, change: Callable[[Entry], Entry]) -> int:
    """Put what `change` makes of each entry in its place; returns how many that were. The file's age stays."""
    times = file.stat()
    if file.name.startswith("refused-"):
        count = overwrite_lines(file, lambda line: _changed_line(line, change))
    else:
        lines = file.read_bytes().splitlines()
        changed = [_changed_line(line, change) for line in lines]
        count = sum(line is not None for line in changed)
        if count:
            pairs = zip(lines, changed, strict=True)
            replace_file(file, b"".join((line if new is None else new) + b"\n" for line, new in pairs))
    if count:
        # Where it belongs to another member of the group that shares the home, it counts as kept since now.
        with suppress(PermissionError):
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    return count


def _changed_line(line: bytes, change: Callable[[Entry], Entry]) -> bytes | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    changed = change(dict(entry))
    return None if changed == entry else json.dumps(changed).encode()


def damaged_text(entry: Entry) -> str | None:
    """The damaged line of a journal that an entry keeps as it was found; refused calls are never kept so."""
    if "line_base64" not in entry:
        return None
    return base64.b64decode(entry["line_base64"]).decode(errors="surrogateescape")


def with_damaged_text(entry: Entry, text: str) -> Entry:
    """The entry with another text in place of that line."""
    encoded = base64.b64encode(text.encode(errors="surrogateescape")).decode()
    return {**entry, "line_base64": encoded}


def without_prompt(entry: Entry) -> Entry:
    """The entry with nothing left of a prompt in it."""
    entry = without_raw(entry)
    text = damaged_text(entry)
    if text is None or PROMPT_KEY not in text:
        return entry
    return with_damaged_text(entry, text[: text.index(PROMPT_KEY)])
