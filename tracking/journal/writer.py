"""The journal: append-only files, one writer each, one `write()` per append, one fdatasync for many appends.

Lines wait in a batch until they are synced. Appenders hold `_lock` for their write alone; whoever syncs takes the open
batch away under that lock and syncs it under `_sync_lock`, so appending goes on, and all who wait are served at once.
"""

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from tracking.errors import LedgerError
from tracking.journal import process_life
from tracking.journal.batch import Batch
from tracking.journal.file import JournalFile, writer_name
from tracking.journal.lines import decode_line, encode_line, record_json, record_line

__all__ = ["JournalWriter", "decode_line", "encode_line", "record_json", "record_line", "writer_name"]

Durability = Literal["process", "interval", "always"]

ROTATE_BYTES = 64 * 1024 * 1024
SYNC_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0
UNSYNCED_BYTES = 16 * 1024 * 1024
"""How much is kept in memory to be written anew after a failed sync."""

logger = logging.getLogger("llm_cost_ledger")


class _Inside(threading.local):
    """Whether this thread is at work in a writer: who then calls it once more is a signal's handler or a finalizer."""

    here = False


class JournalWriter:
    """Appends lines to this process's own journal; safe under threads, after any fork, and in signal handlers.

    `append()` returns once the line is in the kernel, so it survives the death of the process. Power loss:
    "process" promises nothing, "interval" all but about the last half second, "always" every returned line.
    """

    def __init__(self, directory: Path, durability: Durability = "interval", rotate_bytes: int = ROTATE_BYTES) -> None:
        self._directory = directory
        self._durability: Durability = durability
        self._rotate_bytes = rotate_bytes
        self._arrivals: dict[int, threading.Lock] = {}
        """By process: who is the first to notice that it is a new one."""
        self._start_afresh()
        process_life.watch(self)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._inside = _Inside()
        self._nested: JournalWriter | None = None
        self._file: JournalFile | None = None
        self._batch = Batch()
        self._settling: Batch | None = None
        self._copied_bytes = 0
        self._wake = threading.Event()
        self._syncer: threading.Thread | None = None
        self._pid = os.getpid()

    def append(self, line: bytes) -> None:
        """Write one whole line, or nothing.

        Raises:
            LedgerError: the disk refused it, and the journal is as it was before; or, under "always", it could not
                be synced: such a line is not acknowledged, but may be there all the same.
        """
        if self._pid != os.getpid():
            self._arrive()
        if self._inside.here:
            self._nested_writer().append(line)
            return
        try:
            self._inside.here = True
            with self._lock:
                batch = self._write(line)
                is_synced_later = self._durability != "always" and self._is_synced_later()
            if not is_synced_later:
                self._settle(batch)
        finally:
            self._inside.here = False

    def append_many(self, lines: Iterable[bytes]) -> None:
        """Write several whole lines in one `write()`, or nothing. A process killed meanwhile may leave the first ones.

        Raises:
            LedgerError: as `append()` does.
        """
        if data := b"".join(lines):
            self.append(data)

    def flush(self) -> None:
        """Make everything appended so far survive a power loss. Under "process" that is left to the kernel.

        Raises:
            LedgerError: the disk cannot be synced. What is unsynced is kept for the next attempt.
        """
        self._sync_all(letting_go=False)

    def close(self) -> None:
        """Flush, and let go of the file; a later `append()` opens a new one. In the middle of one it only flushes."""
        self._sync_all(letting_go=True)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def _arrive(self) -> None:
        """In a child that was forked in C (by uWSGI, say), which nobody told: be its writer, not its parent's."""
        with self._arrivals.setdefault(os.getpid(), threading.Lock()):
            if self._pid != os.getpid():
                self.forget_parent()

    def _nested_writer(self) -> "JournalWriter":
        """Who writes for a signal's handler while the thread it interrupted is at work here."""
        if self._nested is None:
            self._nested = _NestedWriter(self._directory, self._durability, self._rotate_bytes)
        return self._nested

    def _write(self, data: bytes) -> Batch:
        """Append to the current file; returns the batch it belongs to. Under `_lock`."""
        file = self._file
        try:
            if file is None or not file.has_room(len(data), self._rotate_bytes):
                file = self._next_file()
            file.append(data)
        except OSError as error:
            place = self._directory if file is None else file.path
            raise LedgerError(f"journal {place} refused a record: {error.strerror}") from error
        if self._durability != "process":
            self._copied_bytes += self._batch.keep(data, UNSYNCED_BYTES - self._copied_bytes)
        return self._batch

    def _next_file(self) -> JournalFile:
        self._leave_file()
        file = self._file = JournalFile(self._directory)
        self._batch.has_new_name = True
        process_life.watch_multiprocessing()
        return file

    def _leave_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            if self._durability == "process":
                file.close()
            else:
                self._batch.left.append(file)

    def _sync_all(self, *, letting_go: bool) -> None:
        if self._pid != os.getpid():
            self._arrive()
        if self._inside.here:
            self._sync_as_it_is()
            return
        try:
            self._inside.here = True
            if letting_go:
                with self._lock:
                    self._leave_file()
                    # A syncer of its own for whatever is appended later: this one may take its time to end.
                    self._wake.set()
                    self._wake, self._syncer = threading.Event(), None
            self._settle(self._batch)
        finally:
            self._inside.here = False
            if self._nested is not None:
                (self._nested.close if letting_go else self._nested.flush)()

    def _settle(self, batch: Batch) -> None:
        """Return once everything in `batch` is synced, by this thread or by another that came first.

        Raises:
            LedgerError: it cannot be.
        """
        while not batch.settled:
            with self._sync_lock:
                if not batch.settled:
                    self._settle_next()
        if batch.error is not None:
            reason = batch.error.strerror if isinstance(batch.error, OSError) else batch.error
            raise LedgerError(f"journal in {self._directory} cannot be synced: {reason}") from batch.error

    def _settle_next(self) -> None:
        with self._lock:
            # One that an interrupt left unsettled comes first: its lines are the older ones.
            if self._settling is None:
                self._settling, self._batch = self._batch, Batch()
                self._settling.file = self._file
            batch = self._settling
        if not batch.is_empty:
            batch.error = self._sync(batch)
            batch.close_left()
        with self._lock:
            self._copied_bytes -= batch.copied_bytes
            self._settling, batch.settled = None, True

    def _sync(self, batch: Batch) -> OSError | LedgerError | None:
        """Sync a batch where it is, else write its lines to a file of their own; returns why that failed.

        After a failed fsync the kernel may have dropped the pages, so that file is left. What did reach it is
        there twice then; the sealer counts a record_id once.
        """
        try:
            if batch.suspect is None:
                batch.sync(self._directory)
                return None
        except OSError as error:
            batch.suspect = error
            with self._lock:
                self._leave_file()
                batch.mark_suspect(self._batch)
        try:
            batch.rewrite(self._directory)
        except (OSError, LedgerError) as error:
            if self._durability == "interval":
                with self._lock:
                    batch.requeue(self._batch)
            return error
        return None if batch.complete else batch.suspect

    def _sync_as_it_is(self) -> None:
        """Sync what was written before this thread's own call, which holds the locks and was interrupted."""
        if self._nested is not None:
            self._nested.flush()
        try:
            for batch in (self._settling, self._batch):
                if batch is not None and not batch.is_empty:
                    if batch.suspect is not None:
                        raise batch.suspect
                    batch.sync(self._directory)
            if self._file is not None and self._durability != "process":
                self._file.sync()
        except OSError as error:
            raise LedgerError(f"journal in {self._directory} cannot be synced: {error.strerror}") from error

    def _is_synced_later(self) -> bool:
        """Whether a thread syncs what was just appended, or nobody has to. Under `_lock`."""
        if self._durability == "process":
            return True
        if self._syncer is None and not process_life.is_ending():
            syncer = threading.Thread(
                target=_sync_until_gone, args=(weakref.ref(self), self._wake), name="llm-cost-journal-sync", daemon=True
            )
            # A process on its way out starts no threads.
            with contextlib.suppress(RuntimeError):
                syncer.start()
                self._syncer = syncer
        return self._syncer is not None

    def forget_parent(self) -> None:
        """In a child after fork: files, locks and unsynced lines are the parent's."""
        for batch in (self._settling, self._batch):
            if batch is not None:
                batch.close_left()
        if self._file is not None:
            self._file.close()
        self._start_afresh()


class _NestedWriter(JournalWriter):
    """Synced by the writer it belongs to: a handler may have interrupted the start of a thread, which cannot nest."""

    def _is_synced_later(self) -> bool:
        return self._durability == "process" or not process_life.is_ending()


def _sync_until_gone(reference: "weakref.ref[JournalWriter]", wake: threading.Event) -> None:
    pause = SYNC_SECONDS
    while not wake.wait(pause):
        writer = reference()
        if writer is None:
            return
        try:
            writer.flush()
        except LedgerError as error:
            if pause == SYNC_SECONDS:
                logger.error("%s; it is tried again, until then a power loss may take what was recorded", error)
            pause = min(2 * pause, LONGEST_RETRY_SECONDS)
        else:
            pause = SYNC_SECONDS
        del writer
