"""What waits in the journals to be sealed, by their sizes alone: nothing is read that need not be."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tracking.home import Home
from warehouse.ledger.manifest import Manifest

QUIET = timedelta(minutes=5)
"""Longer than a sealing takes: a journal that was not written to for so long is sealed whole."""


@dataclass(frozen=True, slots=True)
class WaitingJournal:
    """A journal with bytes that no sealing took yet. It may be gone by the time it is looked at again."""

    path: Path
    sealed_bytes: int
    size: int
    written_at: datetime

    @property
    def waiting_bytes(self) -> int:
        return self.size - self.sealed_bytes

    def was_passed_over(self, now: datetime) -> bool:
        """Whether sealing should have taken what waits: whole lines, by a writer that has been quiet."""
        return self.written_at < now - QUIET and self._holds_a_line()

    def _holds_a_line(self) -> bool:
        """Whether what waits is more than the beginning of a line."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.sealed_bytes)
                return b"\n" in file.read()
        except FileNotFoundError:
            return False  # sealed to its end and deleted meanwhile


def waiting_journals(home: Home) -> list[WaitingJournal]:
    """Every journal that is longer than what is sealed of it."""
    waiting: list[WaitingJournal] = []
    with Manifest(home) as manifest:
        for path in home.journals():
            sealed_bytes = manifest.sealed_bytes(path.name)
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if status.st_size > sealed_bytes:
                waiting.append(
                    WaitingJournal(path, sealed_bytes, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
                )
    return waiting
