"""The journal: one append-only file per writer, one `write()` per record, each line with its checksum.

A line is eight hex digits of CRC-32 over what follows the space, a space, one JSON object, a newline.
A writer holds an exclusive flock on its file for as long as it lives; so a reader that gets the lock knows
the writer is gone.
"""

import atexit
import contextlib
import errno
import fcntl
import json
import os
import re
import socket
import threading
import uuid
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from tracking.durable_files import sync_directory
from tracking.errors import LedgerError

if TYPE_CHECKING:
    from tracking.record import LLMUsageRecord

Durability = Literal["process", "interval", "always"]

ROTATE_BYTES = 64 * 1024 * 1024
SYNC_SECONDS = 0.5


def encode_line(content: bytes) -> bytes:
    """One journal line around a JSON object that holds no raw newline."""
    return b"%08x %s\n" % (crc32(content), content)


def record_json(record: "LLMUsageRecord", prompt: str | None) -> bytes:
    """The JSON of one record's known columns and, beside them, the prompt's text."""
    columns = record.to_json()
    return columns if prompt is None else columns[:-1] + b',"prompt":' + json.dumps(prompt).encode() + b"}"


def record_line(record: "LLMUsageRecord", prompt: str | None) -> bytes:
    """The journal line of one record."""
    return encode_line(record_json(record, prompt))


def decode_line(line: bytes) -> bytes | None:
    """The JSON of one line without its newline, or `None` where the checksum does not match."""
    if len(line) < 9 or line[8:9] != b" ":
        return None
    content = line[9:]
    try:
        expected = int(line[:8], 16)
    except ValueError:
        return None
    return content if crc32(content) == expected else None


def writer_name() -> str:
    """`<host>-<pid>-<uuid>`: unique per writer, safe as a file name."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:64] or "host"
    return f"{host}-{os.getpid()}-{uuid.uuid4().hex}"


class JournalWriter:
    """Appends lines to this process's own journal; safe under threads and after fork.

    `append()` returns once the line is in the kernel, so it survives the death of the process. Power loss:
    "process" promises nothing, "interval" all but the last half second, "always" every returned line.
    """

    def __init__(self, directory: Path, durability: Durability = "interval", rotate_bytes: int = ROTATE_BYTES) -> None:
        self._directory = directory
        self._durability = durability
        self._rotate_bytes = rotate_bytes
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._path: Path | None = None
        self._size = 0
        self._unsynced: list[bytes] = []
        self._wake = threading.Event()
        self._syncer: threading.Thread | None = None
        _live_writers.add(self)

    def append(self, line: bytes) -> None:
        """Write one whole line, or nothing.

        Raises:
            LedgerError: the disk refused it; the journal is as it was before.
        """
        with self._lock:
            try:
                descriptor = self._descriptor
                if descriptor is None or self._size + len(line) > self._rotate_bytes:
                    descriptor = self._open_next()
                self._write_whole(descriptor, line)
            except OSError as error:
                raise LedgerError(
                    f"journal {self._path or self._directory} refused a record: {error.strerror}"
                ) from error
            if self._durability != "process":
                self._unsynced.append(line)
            if self._durability == "always":
                self._sync()
            if self._durability == "interval":
                self._ensure_syncer()

    def flush(self) -> None:
        """Make everything appended so far survive a power loss."""
        with self._lock:
            self._sync()

    def close(self) -> None:
        """Sync and let go of the file; a later `append()` opens a new one."""
        with self._lock:
            try:
                self._sync()
            finally:
                self._release()
                # A syncer of its own for whatever is appended later: this one may take its time to end.
                self._wake.set()
                self._wake, self._syncer = threading.Event(), None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def _open_next(self) -> int:
        self._sync()
        self._release()
        return self._open_new()

    def _open_new(self) -> int:
        while True:
            path = self._directory / f"{writer_name()}.log"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A sealer may have taken the empty file for an abandoned one before it was locked.
            if os.fstat(descriptor).st_nlink:
                break
            os.close(descriptor)
        self._descriptor, self._path, self._size = descriptor, path, 0
        if self._durability != "process":
            sync_directory(self._directory)
        return descriptor

    def _write_whole(self, descriptor: int, line: bytes) -> None:
        written = os.write(descriptor, line)
        if written != len(line):
            try:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            except OSError:
                # The torn line stays the last one of a file nobody writes to again; see _sync for what is unsynced.
                self._release()
            raise OSError(errno.ENOSPC, f"only {written} of {len(line)} bytes were written")
        self._size += written

    def _sync(self) -> None:
        """Sync what is unsynced. Without its file it is written to a new one, now or at the next attempt.

        After a failed fsync the kernel may have dropped the pages, so that file is left. What did reach it is
        there twice then; the sealer counts a record_id once.
        """
        if not self._unsynced:
            return
        if self._descriptor is not None:
            try:
                os.fdatasync(self._descriptor)
            except OSError:
                self._release()
        if self._descriptor is None:
            self._rewrite_unsynced()
        self._unsynced.clear()

    def _rewrite_unsynced(self) -> None:
        try:
            descriptor = self._open_new()
            for line in self._unsynced:
                self._write_whole(descriptor, line)
            os.fdatasync(descriptor)
        except OSError as error:
            self._release()
            raise LedgerError(f"journal in {self._directory} cannot be synced: {error.strerror}") from error

    def _release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _ensure_syncer(self) -> None:
        if self._syncer is None:
            syncer = threading.Thread(
                target=_sync_until_gone, args=(weakref.ref(self), self._wake), name="llm-cost-journal-sync", daemon=True
            )
            # A process on its way out starts no threads; what it appends is synced at exit.
            with contextlib.suppress(RuntimeError):
                syncer.start()
                self._syncer = syncer

    def forget_parent(self) -> None:
        """In a child after fork: the file, its lock and its unsynced lines are the parent's."""
        self._lock = threading.Lock()
        self._release()
        self._unsynced = []
        self._wake = threading.Event()
        self._syncer = None


def _sync_until_gone(writer: "weakref.ref[JournalWriter]", wake: threading.Event) -> None:
    while not wake.wait(SYNC_SECONDS):
        alive = writer()
        if alive is None:
            return
        # The next flush, close or rotation reports a disk that cannot be synced; this thread just tries again.
        with contextlib.suppress(LedgerError):
            alive.flush()
        del alive


_live_writers: "weakref.WeakSet[JournalWriter]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for writer in list(_live_writers):
        writer.forget_parent()


def _sync_at_exit() -> None:
    for writer in list(_live_writers):
        with contextlib.suppress(LedgerError):
            writer.flush()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_sync_at_exit)
