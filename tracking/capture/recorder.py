"""From a captured call to its row, never in the application's way."""

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from typing import Any, Literal, NamedTuple
from weakref import WeakMethod

from tracking.attribution import current_attribution
from tracking.capture.begun import Begun
from tracking.capture.told_twice import ToldTwice
from tracking.errors import CostTrackingError
from tracking.rows.request_type import RequestType
from tracking.rows.trackable import TrackableRef

Unattributed = Literal["refuse", "record"]

UNATTRIBUTED: Mapping[str, object] = {
    "user": "unattributed",
    "trackable": TrackableRef("Unattributed", "-"),
    "request_type": RequestType.UNATTRIBUTED,
}
"""Whose a call is that nobody claimed."""

MOST_HELD_BYTES = 8 * 1024 * 1024
SECONDS_BETWEEN_TRIES = 1.0

BYTES_BESIDE_PROMPT = 2048
"""What a held call takes in memory, about."""

Record = Callable[[dict[str, Any], Callable[[], bool]], object]
"""Records a call's arguments; where the disk refuses its row, the second is asked whether it holds the call."""

CLIENT = "client"
"""Who tells of a watched client's calls."""

logger = logging.getLogger("llm_cost_ledger")


class Held(NamedTuple):
    """A call whose row the disk refused."""

    context: Context
    arguments: dict[str, Any]
    size: int


class Recorder:
    """Records captured calls of one tracker, holds those whose rows the disk refuses until it takes them, and counts.

    What was held when a process forked is its own: the child forgets it.
    """

    def __init__(self, record: Record, unattributed: Unattributed) -> None:
        self.unattributed = 0
        """Calls that lacked a user, a trackable or a request type."""
        self.unread = 0
        """Answers that could not be read, or in which we failed."""
        self.begun = Begun()
        """Calls whose answers are fetched later."""
        self._record = record
        self._policy: Unattributed = unattributed
        self._held: deque[Held] = deque()
        self._held_bytes = 0
        self._next_try = 0.0
        self._is_awaited = False
        """By the end of the process, which tries a last time."""
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._told: set[str] = set()
        self._told_twice: ToldTwice | None = None

    @property
    def waiting(self) -> int:
        """Calls in memory whose rows the disk has refused so far."""
        return len(self._held)

    def expect_others(self) -> None:
        """From now on, calls may be told of by more than one."""
        self._told_twice = self._told_twice or ToldTwice()

    def record(self, arguments: dict[str, Any], teller: str = CLIENT) -> object:
        """Record one call; its attribution is that of the context this runs in, and of nobody where there is none.

        Nothing is recorded of a call that another `teller` has told of before (see `expect_others`).
        """
        if self._told_twice is not None and self._told_twice.already(arguments, teller):
            return None
        if self._held and time.monotonic() >= self._next_try:
            self.record_held()
        if self._policy == "record":
            around = current_attribution()
            if lacking := [name for name in UNATTRIBUTED if around.get(name) is None]:
                self.unattributed += 1
                arguments |= {name: UNATTRIBUTED[name] for name in lacking}
        return self._record(arguments, lambda: self._hold(arguments))

    def record_held(self, last: bool = False) -> None:
        """Try again what the disk refused, the oldest first; at the `last` try, what it refuses goes to quarantine."""
        self._forget_anothers()
        if not self._lock.acquire(blocking=False):  # another thread tries
            return
        try:
            for _ in range(len(self._held)):
                held = self._held.popleft()
                self._held_bytes -= held.size
                before = len(self._held)
                held.context.copy().run(self._record, held.arguments, lambda one=held: not last and self._keep(one))
                if len(self._held) > before:
                    self._held.rotate(1)  # back to its place
                    return
        finally:
            self._lock.release()

    def _hold(self, arguments: dict[str, Any]) -> bool:
        self._forget_anothers()
        size = BYTES_BESIDE_PROMPT + len(repr(arguments["prompt"]))
        if self._held_bytes + size > MOST_HELD_BYTES:
            return False
        if not self._held:
            logger.warning("the ledger cannot be written: captured calls wait in memory")
        if not self._is_awaited:
            self._is_awaited = True
            atexit.register(_record_last, WeakMethod(self.record_held))
        return self._keep(Held(copy_context(), arguments, size))

    def _keep(self, held: Held) -> bool:
        self._held.append(held)
        self._held_bytes += held.size
        self._next_try = time.monotonic() + SECONDS_BETWEEN_TRIES
        return True

    def _forget_anothers(self) -> None:
        if self._pid != os.getpid():
            self._pid, self._lock = os.getpid(), threading.Lock()
            self._held.clear()
            self._held_bytes = 0

    def fell_short(self, what: str, error: Exception) -> None:
        """Count a call that could not be read, and say so once for each kind."""
        self.unread += 1
        if what not in self._told and len(self._told) < 1000:
            self._told.add(what)
            reason = error if isinstance(error, CostTrackingError) else type(error).__name__
            logger.warning("captured calls are not recorded as far as they could be: %s: %s", what, reason)


def _record_last(record_held: WeakMethod[Callable[..., None]]) -> None:
    if (record := record_held()) is not None:
        record(last=True)
