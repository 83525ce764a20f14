"""Files of lines to import, and what became of them."""

import json
from pathlib import Path
from typing import Any

from ledgers import body, visible

from tracking.home import Home
from warehouse.importing.calls import Defaults
from warehouse.importing.import_files import ImportReport, import_files
from warehouse.sealing.seal import seal

EVERYTHING = Defaults(user="teacher-1", trackable="Assignment:1", request_type="grade_student_work")


def call(**fields: Any) -> dict[str, Any]:
    return {"provider": "openai", "response": body()} | fields


def write(file: Path, *lines: Any, ending: bytes = b"\n") -> Path:
    """A file of JSON lines; bytes are written as they are."""
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    file.write_bytes(b"".join(line + ending for line in encoded))
    return file


def imported(home: Path, *files: Path, defaults: Defaults = EVERYTHING, source: str | None = None) -> ImportReport:
    report = import_files(Home(home), list(files), defaults, source)
    assert report.lines == report.recorded + len(report.refusals)
    return report


def sealed(home: Path) -> list[dict[str, Any]]:
    seal(Home(home))
    return visible(home)


def kept(home: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        file.name: [json.loads(line) for line in file.read_text().splitlines()]
        for file in sorted((home / "quarantine").iterdir())
    }
