"""Calls whose answers are fetched later."""

from collections import OrderedDict
from typing import Final

from tracking.capture.own_locks import OwnLocks

MOST = 10_000
MOST_BYTES = 64 * 1024 * 1024
"""Of calls that are remembered, and of what they asked; the oldest is forgotten, and its answer has the attribution of
whoever fetches it."""


class Begun:
    """What was begun in the background, by the id of its answer, until the answer is taken: once."""

    TAKEN: Final = object()

    def __init__(self) -> None:
        self._calls: OrderedDict[str, tuple[object, int]] = OrderedDict()
        self._bytes = 0
        self._taken: OrderedDict[str, None] = OrderedDict()
        self._locks = OwnLocks()

    def put(self, identity: str, call: object, size: int) -> None:
        """Remember a call whose request has `size` bytes."""
        with self._locks.own():
            self._forget(identity)
            self._calls[identity] = call, size
            self._bytes += size
            while len(self._calls) > MOST or self._bytes > MOST_BYTES:
                self._forget(next(iter(self._calls)))

    def take(self, identity: str) -> object:
        """The call that was begun, `None` where it is not known, `TAKEN` where its answer was taken before."""
        with self._locks.own():
            if identity in self._taken:
                return self.TAKEN
            self._taken[identity] = None
            if len(self._taken) > MOST:
                self._taken.popitem(last=False)
            return self._forget(identity)

    def _forget(self, identity: str) -> object:
        call, size = self._calls.pop(identity, (None, 0))
        self._bytes -= size
        return call
