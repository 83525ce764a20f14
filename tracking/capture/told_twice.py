"""Calls that two captures tell of: a watched client, and the framework or tracing around it."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tracking.answers.response import LLMResponse
from tracking.capture.own_locks import OwnLocks
from tracking.errors import ArgumentError
from tracking.rows.prompt import WITHHELD, prompt_text

MOST = 10_000
"""Of calls that are remembered."""
MOST_ALIKE = 100
"""Of calls without an id that ask the same, of those: so many may be under way at once."""

ROUNDING = timedelta(milliseconds=2)
"""Latencies are whole milliseconds."""


class Telling(NamedTuple):
    """Who told of a call, and when it was under way."""

    teller: str
    began: datetime
    ended: datetime

    def is_of_another(self, other: "Telling", by_id: bool) -> bool:
        """Whether another teller told of what may be the same call: by its id, or because both are at one time."""
        at_once = self.began <= other.ended + ROUNDING and other.began <= self.ended + ROUNDING
        return self.teller != other.teller and (by_id or at_once)


class ToldTwice:
    """Remembers who told of which call, so that each is recorded for whoever tells of it first.

    A call is known by its answer's id and counts; one without an id by its model, status, prompt and time.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[object, list[Telling]] = OrderedDict()
        self._locks = OwnLocks()

    def already(self, arguments: dict[str, Any], teller: str) -> bool:
        """Whether another teller has told of this call, which was not answered for yet."""
        key = _key(arguments)
        began: datetime = arguments["occurred_at"]
        telling = Telling(teller, began, began + timedelta(milliseconds=arguments["latency_ms"]))
        with self._locks.own():
            told = self._told.setdefault(key, [])
            other = next((each for each in told if telling.is_of_another(each, key[0] is not None)), None)
            if other is None:
                told.append(telling)
                del told[:-MOST_ALIKE]
                if len(self._told) > MOST:
                    self._told.popitem(last=False)
                return False
            told.remove(other)
            if not told:
                del self._told[key]
            return True


def _key(arguments: dict[str, Any]) -> tuple[object, ...]:
    response = arguments["llm_response"]
    if isinstance(response, LLMResponse) and response.id is not None:
        return response.id, response.usage.input_tokens, response.usage.output_tokens
    model = getattr(response, "model", None) or arguments.get("model")
    status = getattr(response, "status", None)
    prompt = arguments["prompt"]
    try:
        text = "" if prompt is WITHHELD else prompt_text(prompt)
    except ArgumentError:
        text = ""
    return None, str(model).rpartition("/")[2], status, hash(text)
