"""Calls that two captures tell of: a watched client, and the framework or tracing around it."""

import threading
from collections import Counter, OrderedDict
from typing import Any

from tracking.answers.response import LLMResponse
from tracking.errors import ArgumentError
from tracking.rows.prompt import WITHHELD, prompt_text

MOST = 10_000
"""Of calls that are remembered."""


class ToldTwice:
    """Remembers who told of which call, so that each is recorded for whoever tells of it first.

    A call is known by its answer's id and counts; one without an id by its model, status and prompt.
    """

    def __init__(self) -> None:
        self._tellers: OrderedDict[object, Counter[str]] = OrderedDict()
        self._lock = threading.Lock()

    def already(self, arguments: dict[str, Any], teller: str) -> bool:
        """Whether another teller has told of this call, which was not answered for yet."""
        key = _key(arguments)
        with self._lock:
            tellers = self._tellers.setdefault(key, Counter())
            other = next((each for each in tellers if each != teller), None)
            if other is None:
                tellers[teller] += 1
                if len(self._tellers) > MOST:
                    self._tellers.popitem(last=False)
                return False
            tellers[other] -= 1
            if not tellers[other]:
                del self._tellers[key]
            return True


def _key(arguments: dict[str, Any]) -> object:
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
