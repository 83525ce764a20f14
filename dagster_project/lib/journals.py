"""What waits in the journals to be sealed, by their sizes alone: nothing is read that need not be."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tracking.home import Home
from warehouse.ledger.manifest import Manifest


@dataclass(frozen=True, slots=True)
class WaitingJournal:
    """A journal with bytes that no sealing took yet. It may be gone by the time it is looked at again."""

    path: Path
    sealed_bytes: int
    size: int
    written_at: datetime

    def holds_a_line(self) -> bool:
        """Whether what waits is more than the beginning of a line."""
        with self.path.open("rb") as file:
            file.seek(self.sealed_bytes)
            return b"\n" in file.read()


def waiting_journals(home: Home) -> list[WaitingJournal]:
    """Every journal that is longer than what is sealed of it."""
    waiting: list[WaitingJournal] = []
    with Manifest(home) as manifest:
        for path in home.journals():
            sealed = manifest.sealed_bytes(path.name)
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if status.st_size > sealed:
                waiting.append(
                    WaitingJournal(path, sealed, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
                )
    return waiting
