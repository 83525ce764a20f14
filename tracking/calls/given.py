"""One call as it was given to a tracker."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from tracking.answers.response import LLMResponse
from tracking.errors import ArgumentError, CostTrackingError, LedgerError
from tracking.rows.options import CallOptions
from tracking.values import LONGEST_SHOWN

KNOWN_OPTIONS = frozenset(CallOptions.__annotations__)
REQUIRED = ("llm_response", "trackable", "user", "request_type", "prompt")


@dataclass(slots=True)
class GivenCall:
    """`record()`'s required arguments by name, and the others."""

    arguments: dict[str, object]
    options: CallOptions
    response: LLMResponse | None = None
    """The answer, once it was read: a stream cannot be read again."""


def given_call(arguments: object) -> GivenCall:
    """One of many calls; what is no mapping has no arguments."""
    given = dict(cast("Mapping[str, Any]", arguments)) if isinstance(arguments, Mapping) else {}
    return GivenCall({name: given.pop(name, None) for name in REQUIRED}, cast(CallOptions, given))


def check_names(names: Collection[str]) -> None:
    if not KNOWN_OPTIONS.issuperset(names):
        raise ArgumentError(min(set(names) - KNOWN_OPTIONS)[:LONGEST_SHOWN], "is not an argument of record()")


def told(error: BaseException) -> Exception:
    """`error` where its words are ours; else only its kind: the words of the caller's own code may hold the prompt."""
    if isinstance(error, CostTrackingError | ValidationError):
        return error
    if isinstance(error, OSError):
        return LedgerError(f"{type(error).__name__}: {error.strerror}")
    return CostTrackingError(f"{type(error).__name__} was raised while the call was recorded")
