"""One file of the journal: made by its writer, locked for as long as it is open, and only ever appended to.

Its lock says that the writer lives; whoever gets the lock knows that nothing more will be written.
"""

import contextlib
import errno
import fcntl
import os
import re
import socket
import uuid
from pathlib import Path

from tracking.durable_files import create_file
from tracking.errors import LedgerError

NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""What flock() says on a file system that has no locks."""


def writer_name() -> str:
    """`<host>-<pid>-<uuid>`: unique per writer, safe as a file name."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:64] or "host"
    return f"{host}-{os.getpid()}-{uuid.uuid4().hex}"


class JournalFile:
    """A new, empty, locked file in `directory`. `OSError` where the disk refuses, `LedgerError` where it has no locks.

    `spoiled` means that it may end in half a line, or is otherwise not to be appended to again.
    """

    def __init__(self, directory: Path) -> None:
        self.spoiled = False
        self.path, self._descriptor = _create(directory)

    def has_room(self, length: int, most: int) -> bool:
        """Whether `length` bytes more may go here: it still is in its folder, whole, and stays within `most` bytes.

        An empty file takes any length.
        """
        status = os.fstat(self._descriptor)
        return not self.spoiled and status.st_nlink > 0 and (status.st_size == 0 or status.st_size + length <= most)

    def append(self, data: bytes) -> None:
        """Write all of `data`, or nothing that a reader could take for a line."""
        written = 0
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            if written:
                self._take_back(data[:written])
            raise
        except BaseException:
            # A signal's handler raised: nobody knows how much was written, and a reader may have read it.
            self.spoiled = True
            raise

    def _take_back(self, part: bytes) -> None:
        # Whole lines may have been read already: whatever came in their place would be taken for read too.
        self.spoiled = b"\n" in part
        try:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - len(part))
        except OSError:
            self.spoiled = True

    def sync(self) -> None:
        """Make its content survive a power loss; its name is the folder's to keep. A closed file was dealt with."""
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)

    def empty(self) -> None:
        """Take everything back; whoever seals the journal removes the file."""
        self.spoiled = True
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)

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
        except OSError as error:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            if error.errno not in NO_LOCKS:
                raise
            raise LedgerError(
                f"the file system of {directory} has no locks ({error.strerror}), so nobody could tell which journals "
                "are still written to: put LLM_COST_HOME on a local disk, or mount the share with locks"
            ) from error
        os.close(descriptor)
