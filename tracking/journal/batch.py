"""What a journal's writer has appended and not yet synced: the lines, and the files they are in."""

from pathlib import Path

from tracking.durable_files import sync_directory
from tracking.errors import LedgerError
from tracking.journal.file import JournalFile


class Batch:
    """Appends that are synced together. It belongs to its writer, whose locks it relies on."""

    def __init__(self) -> None:
        self.copies: list[bytes] = []
        self.copied_bytes = 0
        self.complete = True
        """Whether `copies` holds all that was appended."""
        self.left: list[JournalFile] = []
        """Files nobody appends to any more: to be synced and closed."""
        self.file: JournalFile | None = None
        """The file that was appended to last, and still is."""
        self.has_new_name = False
        """Whether a file was made meanwhile, which a power loss may forget."""
        self.suspect: OSError | None = None
        """Why its files are suspect: a sync of them failed."""
        self.settled = False
        self.error: OSError | LedgerError | None = None
        """Once settled: why it could not be synced."""

    @property
    def has_lines(self) -> bool:
        return bool(self.copies) or not self.complete

    @property
    def is_empty(self) -> bool:
        return not self.has_lines and not self.left

    @property
    def files(self) -> list[JournalFile]:
        """Where its lines are."""
        return self.left if self.file is None else [*self.left, self.file]

    def keep(self, data: bytes, room: int) -> None:
        """Keep a copy of what was appended, where there is room for it."""
        if len(data) > room:
            self.complete = False
        else:
            self.copies.append(data)
            self.copied_bytes += len(data)

    def sync(self, directory: Path) -> None:
        """Sync its lines where they are."""
        for file in self.files:
            file.sync()
        if self.has_new_name:
            sync_directory(directory)

    def rewrite(self, directory: Path) -> None:
        """Write its lines to a file of their own, and sync that."""
        if self.copies:
            file = JournalFile(directory)
            try:
                file.append(b"".join(self.copies))
                file.sync()
            except OSError:
                file.empty()
                raise
            finally:
                file.close()
        sync_directory(directory)

    def close_left(self) -> None:
        for file in self.left:
            file.close()

    def mark_suspect(self, later: "Batch") -> None:
        """Tell a later batch, whose lines may be in the same file, that this one is suspect."""
        if later.has_lines:
            later.suspect = self.suspect
        else:
            self.left, later.left = [*self.left, *later.left], []

    def requeue(self, later: "Batch") -> None:
        """Leave what could not be synced to a later batch."""
        later.copies[:0] = self.copies
        later.copied_bytes += self.copied_bytes
        self.copies, self.copied_bytes = [], 0
        later.complete = later.complete and self.complete
        later.suspect = self.suspect
