"""The damaged lines of journals as `quarantine/` keeps them: one JSON object a line, with place and checksum."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from warehouse.ledger.manifest import QuarantinedLine


def entry_of(line: QuarantinedLine, content: bytes) -> bytes:
    """What is written for one damaged line; `content` is the line itself."""
    entry = {
        "journal": line.journal,
        "offset": line.start,
        "length": line.length,
        "reason": line.reason,
        "line_base64": base64.b64encode(content).decode(),
        "sha256": _sha256(content),
    }
    return json.dumps(entry).encode() + b"\n"


class DamagedEntryError(ValueError):
    """An entry is not as it was written."""


def entries_of(file: Path) -> Iterator[tuple[int, QuarantinedLine | DamagedEntryError]]:
    """The entries of one file of the sealer's, each with the number of its line, from 1."""
    for number, text in enumerate(file.read_bytes().splitlines(keepends=True), 1):
        try:
            yield number, read_entry(text)
        except DamagedEntryError as error:
            yield number, error


def read_entry(text: bytes) -> QuarantinedLine:
    """The place of a damaged line, by its entry.

    Raises:
        DamagedEntryError: the entry is not as it was written.
    """
    try:
        entry = cast("dict[str, Any]", json.loads(text))
        line = QuarantinedLine(entry["journal"], entry["offset"], entry["length"], entry["reason"])
        content, sha256 = base64.b64decode(entry["line_base64"], validate=True), entry["sha256"]
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as error:
        raise DamagedEntryError(f"is no entry of a damaged line ({type(error).__name__})") from None
    if json.dumps(entry).encode() + b"\n" != text.rstrip(b" \n") + b"\n":
        raise DamagedEntryError("is not written as it was")
    # Retention and erasure take out of a line what must go; what is left has another length.
    if sha256 is not None and len(content) == line.length and _sha256(content) != sha256:
        raise DamagedEntryError(f"its {line.length} bytes do not have the sha256 {sha256}")
    return line


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
