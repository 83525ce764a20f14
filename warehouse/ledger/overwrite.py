"""Overwriting lines where they lie: what must go is gone, no other byte moves, and whoever appends is not disturbed."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from tracking.home import Home
from tracking.journal.writer import decode_line, encode_line
from warehouse.ledger.manifest import Manifest

Fields = Mapping[str, Any]


def overwrite_lines(path: Path, replacement: Callable[[bytes], bytes | None], end: int | None = None) -> int:
    """Put what `replacement` makes of a line in its place, durably; returns how many lines that was.

    `replacement` takes a line without its newline and gives one of the same length or shorter, filled up with spaces;
    or `None`, to leave it. Only whole lines before byte `end` are looked at.

    Raises:
        ValueError: `replacement` gave a longer one; it is not written.
    """
    count = 0
    with path.open("r+b", buffering=0) as raw, path.open("rb") as lines:
        offset = 0
        for line in lines:
            if (end is not None and offset + len(line) > end) or not line.endswith(b"\n"):
                break
            content = line[:-1]
            new = replacement(content)
            if new is not None and new != content:
                if len(new) > len(content):
                    raise ValueError(f"a line of {len(content)} bytes cannot become one of {len(new)}")
                os.pwrite(raw.fileno(), new.ljust(len(content)), offset)
                count += 1
            offset += len(line)
        if count:
            os.fdatasync(raw.fileno())
    return count


def blank_sealed_lines(home: Home, manifest: Manifest, is_gone: Callable[[Fields], bool]) -> int:
    """Take what is in segments by now out of the journals that still exist; call it while holding the sealing lock.

    Of a line whose fields are gone (`is_gone`) only the `record_id` stays, under a right checksum. A damaged line goes
    whole: its copy is in quarantine.
    """

    def blank_line(line: bytes) -> bytes | None:
        content = decode_line(line)
        if content is None:
            return b""
        fields = _object(content)
        if fields is None or not is_gone(fields):
            return None
        rest = json.dumps({"record_id": fields.get("record_id")}).encode()
        if len(rest) > len(content):
            rest = b"{}"
        return encode_line(rest.ljust(len(content)))[:-1]

    return sum(overwrite_lines(journal, blank_line, manifest.sealed_bytes(journal.name)) for journal in home.journals())


def _object(content: bytes) -> Fields | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return cast(Fields, value) if isinstance(value, dict) else None
