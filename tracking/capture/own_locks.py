"""Locks for what a finalizer or a forked child may come upon while it is being changed."""

import os
import threading


class OwnLocks:
    """One lock a process: a child would wait for ever for a thread of its parent.

    Re-entrant, for a stream that is collected as garbage is recorded by whichever thread happens to find it.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()

    def own(self) -> threading.RLock:
        if self._pid != os.getpid():
            self._lock, self._pid = threading.RLock(), os.getpid()
        return self._lock
