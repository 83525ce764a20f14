"""A limit on all of an attempt to reach somebody: the look-up of the name, each byte that trickles in, every retry.

The time-outs of sockets are for one operation, and begin anew with each byte.
"""

import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

ATTEMPT = "llm-cost-alert"
"""What the threads of attempts are called."""


class OutOfTimeError(Exception):
    """The limit was reached before the attempt was at its end."""


class Connections:
    """The sockets an attempt has opened."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._cut = False

    def add(self, opened: socket.socket) -> None:
        with self._lock:
            self._sockets.append(opened)
            if self._cut:
                _shut(opened)

    def cut(self) -> None:
        """Whoever waits for one of them is told that it has ended; so is whoever opens one later."""
        with self._lock:
            self._cut = True
            for opened in self._sockets:
                _shut(opened)


def within(seconds: float, attempt: Callable[[Connections], None]) -> None:
    """Make the attempt, which adds every socket it opens; what it raises is raised here.

    Raises:
        OutOfTimeError: it was not at its end in time. Its connections are cut, so that its thread ends too.
    """
    connections = Connections()
    outcomes: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            attempt(connections)
        except Exception as error:
            outcomes.put(error)
        else:
            outcomes.put(None)

    threading.Thread(target=run, name=ATTEMPT, daemon=True).start()
    try:
        error = outcomes.get(timeout=max(seconds, 0))
    except queue.Empty:
        connections.cut()
        raise OutOfTimeError from None
    if error is not None:
        raise error


def is_attempt() -> bool:
    """Whether who asks is part of an attempt."""
    return threading.current_thread().name == ATTEMPT


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):
        # Not close(): the number of a closed socket may be another file's while a thread still reads from it.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
