"""What a process's fork and its end mean for the journals it writes."""

import atexit
import contextlib
import os
import sys
import threading
import weakref
from typing import Protocol

from tracking.errors import LedgerError


class Writer(Protocol):
    """Something with unsynced data of this process."""

    def flush(self) -> None: ...

    def forget_parent(self) -> None: ...


_writers: "weakref.WeakSet[Writer]" = weakref.WeakSet()
_ending = threading.Event()


def watch(writer: Writer) -> None:
    """From now on `writer` is flushed as the process ends, and told in each child that it is one."""
    _writers.add(writer)


def is_ending() -> bool:
    """Whether the last flush came already: what is appended from then on nobody else would sync."""
    return _ending.is_set()


def watch_multiprocessing() -> None:
    """A child that multiprocessing forked ends without atexit, but not without multiprocessing's own finalizers."""
    # In such a child both are loaded. Nothing is imported here: a fork could inherit a half-done import, and its lock.
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _flush_all, exitpriority=0)


def _flush_all() -> None:
    _ending.set()
    for writer in list(_writers):
        with contextlib.suppress(LedgerError):
            writer.flush()


def _tell_child() -> None:
    for writer in list(_writers):
        writer.forget_parent()


os.register_at_fork(after_in_child=_tell_child)
atexit.register(_flush_all)
