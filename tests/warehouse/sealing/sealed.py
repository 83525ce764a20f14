"""What a sealer is given, and what it left."""

import json
from pathlib import Path
from typing import Any

from ledgers import body, journals, record

from tracking import CostTracker, LLMUsageRecord
from tracking.home import Home
from warehouse.ledger.manifest import Manifest


def quarantined(home: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for file in sorted((home / "quarantine").iterdir()) for line in file.read_text().splitlines()
    ]


def live_segments(home: Path) -> list[Any]:
    with Manifest(Home(home)) as manifest:
        return manifest.segments()


def three_lines(home: Path) -> tuple[list[LLMUsageRecord], list[bytes]]:
    """Three records and their lines, as an abandoned journal would hold them; no journal is left."""
    with CostTracker(home) as tracker:
        records = [record(tracker, body(100 * number), prompt=f"prompt {number}") for number in (1, 2, 3)]
    (journal,) = journals(home)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.unlink()
    return records, lines
