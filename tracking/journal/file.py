"""One file of the journal: made by its writer, locked for as long as it is open, and only ever appended to.

Its lock says that the writer lives; whoever gets the lock knows that nothing more will be written.
"""

import errno
import fcntl
import os
import re
import resource
import socket
import uuid
from pathlib import Path

from tracking.durable_files import create_file
from tracking.errors import LedgerError
from tracking.interrupts import raise_interrupt_behind

NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""What flock() says on a file system that has no locks."""
SEARCHED_BYTES = 4 * 1024 * 1024
"""How much other threads may have appended since a line, for it to be found still."""


def writer_name() -> str:
    """`<host>-<pid>-<uuid>`: unique per writer, safe as a file name."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:64] or "host"
    return f"{host}-{os.getpid()}-{uuid.uuid4().hex}"


def may_be_written(length: int) -> bool:
    """Whether this process may write a file of so many bytes at all (RLIMIT_FSIZE)."""
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return most == resource.RLIM_INFINITY or length <= most


class JournalFile:
    """A new, empty, locked file in `directory`. `OSError` where the disk refuses, `LedgerError` where it has no locks.

    `spoiled` means that it may end in half a line, or is otherwise not to be appended to again.
    """

    def __init__(self, directory: Path) -> None:
        self.spoiled = False
        self._end = 0
        """Where the next line begins."""
        self.path, self._descriptor = _create(directory)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was appended yet."""
        return not self._end

    def has_room(self, length: int, most: int) -> bool:
        """Whether `length` bytes more may go here: it still is in its folder, whole, and stays within `most` bytes.

        An empty file takes any length, a closed one none.
        """
        if self._descriptor < 0:
            return False
        status = os.fstat(self._descriptor)
        self._end = size = status.st_size
        return not self.spoiled and status.st_nlink > 0 and (size == 0 or size + length <= most)

    def append(self, data: bytes) -> None:
        """Write all of `data`, or nothing that a reader could take for a line.

        Where a signal's handler raises meanwhile, all or nothing of it is there; `holds` tells.
        """
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except BaseException:
            self.spoiled = True
            self._take_part_back(data)
            raise

    def holds(self, data: bytes) -> bool:
        """Whether all of `data` is there. Only what was appended lately is searched."""
        if self._descriptor < 0:
            return False
        size = os.fstat(self._descriptor).st_size
        start = max(0, size - len(data) - SEARCHED_BYTES)
        return data in os.pread(self._descriptor, size - start, start)

    def _take_part_back(self, data: bytes) -> None:
        """After a `write()` that did not return: what it left may be anything from nothing to all of `data`."""
        try:
            part = os.fstat(self._descriptor).st_size - self._end
            if 0 < part < len(data):
                os.ftruncate(self._descriptor, self._end)
                # Whole lines may have been read already: whatever came in their place would be taken for read too.
                self.spoiled = b"\n" in data[:part]
            else:
                self.spoiled = False
        except OSError as error:
            raise_interrupt_behind(error)

    def sync(self) -> None:
        """Make its content survive a power loss; its name is the folder's to keep. A closed file was dealt with."""
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)

    def empty(self) -> None:
        """Take everything back; whoever seals the journal removes the file."""
        self.spoiled = True
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise_interrupt_behind(error)

    def close(self) -> None:
        """Let go of the file and its lock. Closed again, nothing happens."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _create(directory: Path) -> tuple[Path, int]:
    while True:
        path = directory / f"{writer_name()}.log"
        descriptor = create_file(path, os.O_APPEND)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A sealer may have taken the empty file for an abandoned one before it was locked.
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
        except BaseException as error:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            if not isinstance(error, OSError) or error.errno not in NO_LOCKS:
                raise
            raise LedgerError(
                f"the file system of {directory} has no locks ({error.strerror}), so nobody could tell which journals "
                "are still written to: put LLM_COST_HOME on a local disk, or mount the share with locks"
            ) from error
        os.close(descriptor)
