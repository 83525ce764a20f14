"""Calls told of by frameworks: whose they are is known where they begin, what they used at their end."""

from collections import OrderedDict
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from typing import Any, Protocol

from tracking.answers.response import LLMResponse
from tracking.attribution import current_attribution
from tracking.capture.call import unharmed
from tracking.capture.own_locks import OwnLocks
from tracking.capture.recorder import Recorder
from tracking.errors import ResponseError

MOST_BEGUN = 10_000
"""Of calls whose end is awaited; those that never ended go first."""


class Tracker(Protocol):
    """What a `CostTracker` is to those that tell of calls."""

    @property
    def captured(self) -> Recorder: ...


class Told:
    """Calls told of by one framework, each by a key of its own."""

    def __init__(self, tracker: Tracker, teller: str) -> None:
        self._recorder = tracker.captured
        self._recorder.expect_others()
        self._teller = teller
        self._begun: OrderedDict[object, Context] = OrderedDict()
        self._locks = OwnLocks()

    def begin(self, key: object) -> None:
        """A call begins here, with the attribution that is around it."""
        with self._locks.own():
            self._begun[key] = copy_context()
            if len(self._begun) > MOST_BEGUN:
                self._begun.popitem(last=False)

    def forget(self, key: object) -> Context:
        """What began was no call. Gives the context it began in, or this one where that is not known."""
        with self._locks.own():
            return self._begun.pop(key, None) or copy_context()

    def unharmed(self) -> AbstractContextManager[None]:
        """Whatever goes wrong in here is ours, and counted."""
        return unharmed(self._recorder, self._teller)

    def end(self, key: object, answer: object, arguments: dict[str, Any], teller: str = "") -> None:
        """Record a call by its answer; what lies around calls, or says nothing of what it used, is none."""
        context = self.forget(key)
        with self.unharmed():
            try:
                response = LLMResponse.from_provider(answer, arguments.get("provider"), arguments.get("model"))
            except ResponseError:
                return
            context.copy().run(self._record, {**arguments, "llm_response": response}, teller or self._teller)

    def _record(self, arguments: dict[str, Any], teller: str) -> None:
        if current_attribution().get("trace_id") is not None:  # the application's own word
            arguments.pop("trace_id", None)
        self._recorder.record(arguments, teller)
