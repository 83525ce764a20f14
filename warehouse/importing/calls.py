"""One call as a file of another tool tells of it, and the arguments of `record()` it makes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from pydantic import ValidationError

from tracking import ArgumentError, CostTrackingError, LLMResponse, TrackableRef
from tracking.rows.prompt import WITHHELD

OPTIONS = ("tenant", "tags", "trace_id", "latency_ms", "ttft_ms", "attempt")
"""What `record()` takes as it stands in the file."""
FIELDS = frozenset(
    {"provider", "response", "model", "user", "trackable", "trackable_parent", "request_type", "occurred_at", "prompt"}
).union(OPTIONS)
"""What a file may say of a call."""


class ImportFileError(CostTrackingError):
    """A file that cannot be read whole; nothing of it was imported."""


class BadLineError(ValueError):
    """A line that is not of the form its format asks for."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a call says by saying nothing."""

    user: str | None = None
    trackable: str | None = None
    request_type: str | None = None
    provider: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class SourceCall:
    """One call of a file.

    `line` counts from 1. `content` is what the call is known by where nothing else names it; it is hashed, never kept.
    `size` is how many bytes of the file were read for it. `fields` are some of `FIELDS`; `response` is a provider's
    answer as JSON, or an `LLMResponse`. Where `fault` says why it cannot be recorded, they are what could be told.
    `event` names the call in whatever file it stands, for an answer without an id.
    """

    line: int
    content: bytes
    size: int
    fields: Mapping[str, Any]
    fault: Exception | None = None
    event: str | None = None


def arguments_of(call: SourceCall, defaults: Defaults, modified: datetime, key: str) -> dict[str, Any]:
    """The arguments of `record()`. `modified` is when its file was, `key` what it is known by without an id.

    Raises:
        BadLineError: not of the form its format asks for.
        CostTrackingError: a field of it is unusable.
    """
    if call.fault is not None:
        raise call.fault
    fields = {name: value for name, value in call.fields.items() if value is not None}
    response = LLMResponse.from_provider(
        fields["response"],
        provider=fields.get("provider", defaults.provider),
        model=fields.get("model"),
    )
    if response.model is None and defaults.model is not None:
        response = replace(response, model=defaults.model)
    occurred_at = instant_of(fields["occurred_at"]) if "occurred_at" in fields else response.created
    return {
        "llm_response": response,
        "user": fields.get("user", defaults.user),
        "trackable": trackable_of(fields.get("trackable", defaults.trackable)),
        "trackable_parent": trackable_of(fields.get("trackable_parent")),
        "request_type": fields.get("request_type", defaults.request_type),
        "prompt": fields.get("prompt", WITHHELD),
        "occurred_at": occurred_at or modified,
        "idempotency_key": None if response.id else key,
        **{name: fields.get(name) for name in OPTIONS},
    }


def with_stated_cost(response: LLMResponse, cost_usd: object) -> LLMResponse:
    """The answer with what its file says it cost, in USD: a number or its text; `None` leaves it.

    Raises:
        ArgumentError: no finite number.
    """
    if cost_usd is None:
        return response
    try:
        cost = Decimal(str(cost_usd))
        if cost.is_finite():
            return replace(response, provider_cost=cost)
    except ArithmeticError:
        pass
    raise ArgumentError("cost_usd", "is not a number")


def printable_error(error: Exception) -> Exception:
    """`error` where its words are ours; else only its kind, since it may quote the file."""
    if isinstance(error, CostTrackingError | ValidationError | BadLineError):
        return error
    if isinstance(error, RecursionError):
        return BadLineError("nested too deeply")
    return BadLineError(f"{type(error).__name__} was raised while it was read")


def instant_of(value: object) -> datetime:
    """An instant in UTC, from ISO 8601 with a time zone."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ArgumentError("occurred_at", f"is a {type(value).__name__}, expected ISO 8601 with a time zone")
    try:
        instant = datetime.fromisoformat(value)
        return instant if instant.tzinfo is None else instant.astimezone(UTC)
    except ValueError:
        raise ArgumentError("occurred_at", f"({value[:40]!r}) is not ISO 8601") from None
    except OverflowError:
        raise ArgumentError("occurred_at", f"({value[:40]!r}) is out of range in UTC") from None


def trackable_of(value: object) -> object:
    """What `record()` takes as a trackable, from `Type:id` or `{type, id}`."""
    if isinstance(value, str):
        return TrackableRef.parse(value)
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return (named.get("type"), named.get("id"))
    return value
