"""The journal: append-only files, one writer each, one `write()` per append, one fdatasync for many appends.

Lines wait in a batch until they are synced. Appenders hold `_lock` for their write alone; whoever syncs takes the open
batch away under that lock and syncs it under `_sync_lock`, so appending goes on, and all who wait are served at once.

An interrupt may come at any line, and none may leave a lock held: each `with` and all it does stand on one line.
"""
# ruff: noqa: E701

import contextlib
import errno
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from tracking.errors import LedgerError
from tracking.interrupts import raise_interrupt_behind
from tracking.journal import process_life
from tracking.journal.batch import Batch
from tracking.journal.file import JournalFile, may_be_written, writer_name
from tracking.journal.lines import decode_line, encode_line, record_json, record_line
from tracking.journal.syncer import syncer_of

__all__ = ["JournalWriter", "decode_line", "encode_line", "record_json", "record_line", "writer_name"]

Durability = Literal["process", "interval", "always"]

ROTATE_BYTES = 64 * 1024 * 1024
SYNC_SECONDS = 0.5
UNSYNCED_BYTES = 16 * 1024 * 1024
"""How much is kept in memory to be written anew after a failed sync."""


class _Inside(threading.local):
    """Held while this thread is at work in a writer: who then calls it once more is a signal's handler or a finalizer.

    It may hold the writer's locks. Were they re-entrant, such a call would find the writer in the middle of anything.
    """

    def __init__(self) -> None:
        self.work = threading.Lock()


class JournalWriter:
    """Appends lines to this process's own journal; safe under threads, after any fork, and in signal handlers.

    `append()` returns once the line is in the kernel, so it survives the death of the process. Power loss:
    "process" promises nothing, "interval" all but about the last half second, "always" every returned line.
    """

    def __init__(self, directory: Path, durability: Durability = "interval", rotate_bytes: int = ROTATE_BYTES) -> None:
        self._directory = directory
        self._durability: Durability = durability
        self._rotate_bytes = rotate_bytes
        self.files_made = 0
        """How many journals this writer has begun."""
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
        inside = self._inside.work
        if inside.locked():
            self._nested_writer().append(line)
        else:
            with inside: self._append(line)  # fmt: skip

    def append_many(self, lines: Iterable[bytes]) -> None:
        """Write several whole lines in one `write()`, or nothing. A process killed meanwhile may leave the first ones.

        Raises:
            LedgerError: as `append()` does.
        """
        if data := b"".join(lines):
            self.append(data)

    def place_of(self, data: bytes) -> Path | None:
        """The journal that holds all of `data`, which `append()` was to write when it was interrupted, or raised."""
        for batch in (self._settling, self._batch):
            for file in () if batch is None else batch.files:
                if file.holds(data):
                    return file.path
        if self._file is not None and self._file.holds(data):
            return self._file.path
        return None if self._nested is None else self._nested.place_of(data)

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

    def _append(self, line: bytes) -> None:
        with self._lock: batch = self._write(line)  # fmt: skip
        if batch is not None:
            self._settle(batch)

    def _write(self, data: bytes) -> Batch | None:
        """Append to the current file; returns the batch it belongs to, where it is to be synced now. Under `_lock`."""
        file = self._file
        try:
            if file is None or not file.has_room(len(data), self._rotate_bytes):
                file = self._next_file()
            try:
                file.append(data)
            except OSError as error:
                if error.errno != errno.EFBIG or file.is_empty or not may_be_written(len(data)):
                    raise
                file = self._next_file()
                file.append(data)
        except OSError as error:
            place = self._directory if file is None else file.path
            raise LedgerError(f"journal {place} refused a record: {error.strerror}") from error
        if self._durability == "process":
            return None
        self._batch.keep(data, UNSYNCED_BYTES - self._copied_bytes)
        return None if self._durability == "interval" and self._is_synced_later() else self._batch

    @property
    def _copied_bytes(self) -> int:
        settling = self._settling
        return self._batch.copied_bytes + (0 if settling is None else settling.copied_bytes)

    def _next_file(self) -> JournalFile:
        self._leave_file()
        self._batch.has_new_name = True
        file = self._file = JournalFile(self._directory)
        self.files_made += 1
        process_life.watch_multiprocessing()
        return file

    def _leave_file(self) -> None:
        if (file := self._file) is not None:
            if self._durability == "process":
                file.close()
            else:
                self._batch.left.append(file)
            self._file = None

    def _sync_all(self, *, letting_go: bool) -> None:
        if self._pid != os.getpid():
            self._arrive()
        inside = self._inside.work
        if inside.locked():
            self._sync_as_it_is()
            return
        try:
            with inside: self._sync_now(letting_go)  # fmt: skip
        finally:
            if self._nested is not None:
                (self._nested.close if letting_go else self._nested.flush)()

    def _sync_now(self, letting_go: bool) -> None:
        if letting_go:
            with self._lock: self._let_go()  # fmt: skip
        self._settle(self._batch)

    def _let_go(self) -> None:
        """Under `_lock`."""
        self._leave_file()
        # A syncer of its own for whatever is appended later: this one may take its time to end.
        self._wake.set()
        self._wake, self._syncer = threading.Event(), None

    def _settle(self, batch: Batch) -> None:
        """Return once everything in `batch` is synced, by this thread or by another that came first.

        Raises:
            LedgerError: it cannot be.
        """
        while not batch.settled:
            with self._sync_lock: self._settle_next(batch)  # fmt: skip
        if batch.error is not None:
            reason = batch.error.strerror if isinstance(batch.error, OSError) else batch.error
            raise LedgerError(f"journal in {self._directory} cannot be synced: {reason}") from batch.error

    def _settle_next(self, wanted: Batch) -> None:
        """Under `_sync_lock`."""
        if wanted.settled:
            return
        with self._lock: batch = self._batch_to_settle()  # fmt: skip
        if not batch.is_empty:
            batch.error = self._sync(batch)
            batch.close_left()
        with self._lock: self._settling, batch.settled = None, True  # fmt: skip

    def _batch_to_settle(self) -> Batch:
        """Under `_lock`."""
        # One that an interrupt left unsettled comes first: its lines are the older ones.
        if self._settling is None:
            self._batch.file = self._file
            self._settling, self._batch = self._batch, Batch()
        return self._settling

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
            raise_interrupt_behind(error)
            batch.suspect = error
            with self._lock: self._leave_suspect_file(batch)  # fmt: skip
        try:
            batch.rewrite(self._directory)
        except (OSError, LedgerError) as error:
            raise_interrupt_behind(error)
            if self._durability == "interval":
                with self._lock: batch.requeue(self._batch)  # fmt: skip
            return error
        return None if batch.complete else batch.suspect

    def _leave_suspect_file(self, batch: Batch) -> None:
        """Under `_lock`."""
        self._leave_file()
        batch.mark_suspect(self._batch)

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
        """Whether a thread syncs what was just appended. Under `_lock`."""
        if self._syncer is None and not process_life.is_ending():
            syncer = syncer_of(self, self._wake, SYNC_SECONDS)
            try:
                syncer.start()
            except RuntimeError as error:  # a process on its way out starts no threads
                raise_interrupt_behind(error)
            else:
                self._syncer = syncer
        return self._syncer is not None

    def is_synced_by_another(self, syncer: threading.Thread) -> bool:
        """Whether an interrupt had a second thread started."""
        return self._syncer not in (None, syncer)

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
        return not process_life.is_ending()
