"""Every journal's unsealed records, batch by batch; the next batch is read while the last one is sealed."""

import fcntl
import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tracking.durable_files import sync_directory
from warehouse.ledger.manifest import QuarantinedLine
from warehouse.ledger.segment_names import ByteRange
from warehouse.sealing.journal_records import read_records, whole_lines


@dataclass(frozen=True, slots=True)
class UnsealedBatch:
    """One byte range of a journal, its bytes, its records (USAGE_SCHEMA and `prompt`), and the lines that are none."""

    byte_range: ByteRange
    chunk: bytes
    rows: pl.DataFrame
    bad: list[QuarantinedLine]


@dataclass(frozen=True, slots=True)
class OpenJournal:
    """A journal that is being read. The writer is gone where nobody held its lock; then this holds it."""

    path: Path
    descriptor: int
    abandoned: bool

    @classmethod
    def open(cls, path: Path) -> "OpenJournal":
        # Over NFS only who may write to a file gets its exclusive lock: flock(2).
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return cls(path, descriptor, abandoned=False)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, abandoned=True)

    def batches(self, start: int, length: int) -> Iterator[UnsealedBatch]:
        """What follows `start`, in ranges of about `length` bytes. A torn last line waits for its living writer."""
        size = os.fstat(self.descriptor).st_size
        while start < size:
            chunk = whole_lines(self.descriptor, start, size, length)
            if not chunk:
                if not self.abandoned:
                    return
                chunk = os.pread(self.descriptor, size - start, start)
            byte_range = ByteRange(self.path.name, start, start + len(chunk))
            yield UnsealedBatch(byte_range, chunk, *read_records(byte_range, chunk))
            start += len(chunk)

    def finish(self) -> None:
        """Delete it if its writer is gone: every byte of it is sealed. The lock is held until it is gone."""
        if self.abandoned:
            self.path.unlink()
            sync_directory(self.path.parent)


@contextmanager
def unsealed_batches(
    journals: Iterable[tuple[Path, int]], length: int
) -> Generator[Iterator[UnsealedBatch | OpenJournal], None, None]:
    """The batches of each journal from where it is sealed to, and after its batches the journal itself.

    Whoever takes a journal may `finish()` it; it is closed when the next item is asked for.
    """
    open_journals: list[OpenJournal] = []

    def read() -> Iterator[UnsealedBatch | OpenJournal]:
        for path, start in journals:
            journal = OpenJournal.open(path)
            open_journals.append(journal)
            yield from journal.batches(start, length)
            yield journal

    def one_ahead(pool: ThreadPoolExecutor) -> Iterator[UnsealedBatch | OpenJournal]:
        items = read()
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
            if isinstance(item, OpenJournal):
                open_journals.remove(item)
                os.close(item.descriptor)

    try:
        with ThreadPoolExecutor(1, "llm-cost-journal-reader") as pool:
            yield one_ahead(pool)
    finally:
        for journal in open_journals:
            os.close(journal.descriptor)
