"""Calls whose answers are fetched later."""

import threading
from collections import OrderedDict
from typing import Final

MOST = 10_000
"""Of ids that are remembered; the oldest is forgotten, and its answer has the attribution of whoever fetches it."""


class Begun:
    """What was begun in the background, by the id of its answer, until the answer is taken: once."""

    TAKEN: Final = object()

    def __init__(self) -> None:
        self._calls: OrderedDict[str, object] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, identity: str, call: object) -> None:
        with self._lock:
            self._calls[identity] = call
            if len(self._calls) > MOST:
                self._calls.popitem(last=False)

    def take(self, identity: str) -> object:
        """The call that was begun, `None` where it is not known, `TAKEN` where its answer was taken before."""
        with self._lock:
            call = self._calls.pop(identity, None)
        self.put(identity, self.TAKEN)
        return call
