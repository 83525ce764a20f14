"""One line of an import: what it may say, and the arguments of `record()` it makes."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import ValidationError

from tracking import ArgumentError, CostTrackingError, LLMResponse, TrackableRef
from tracking.rows.prompt import WITHHELD

FIELDS = frozenset(
    {"provider", "response", "model", "user", "trackable", "request_type", "occurred_at", "prompt", "tenant", "tags"}
)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a line says by saying nothing."""

    user: str | None = None
    trackable: str | None = None
    request_type: str | None = None
    provider: str | None = None
    model: str | None = None


class BadLineError(ValueError):
    """A line that is not of the form an import takes."""


def told(error: Exception) -> Exception:
    """`error` where its words are ours; else only its kind."""
    if isinstance(error, CostTrackingError | ValidationError | BadLineError):
        return error
    if isinstance(error, RecursionError):
        return BadLineError("nested too deeply")
    return BadLineError(f"{type(error).__name__} was raised while it was read")


def arguments_of(line: bytes, defaults: Defaults, modified: datetime, key: str) -> dict[str, Any]:
    """The arguments of `record()`. `modified` is when its file was, `key` what it is known by without an id.

    Raises:
        BadLineError: not of the form an import takes.
        CostTrackingError: a field of it is unusable.
    """
    fields = _fields(line)
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
        "request_type": fields.get("request_type", defaults.request_type),
        "prompt": fields.get("prompt", WITHHELD),
        "occurred_at": occurred_at or modified,
        "tenant": fields.get("tenant"),
        "tags": fields.get("tags"),
        "idempotency_key": None if response.id else key,
    }


def decoded(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        # The decoder's own message may quote the line.
        place = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadLineError(f"not valid JSON{place}") from None


def _fields(line: bytes) -> dict[str, Any]:
    fields = decoded(line)
    if not isinstance(fields, dict):
        raise BadLineError(f"a {type(fields).__name__}, expected an object")
    given = cast("dict[str, Any]", fields)
    unknown = given.keys() - FIELDS
    if unknown:
        raise BadLineError(f"unknown field {min(unknown)[:40]!r}")
    named = {name: value for name, value in given.items() if value is not None}
    if not isinstance(named.get("response"), dict):
        raise BadLineError("field 'response' is missing or not an object")
    for name, kind, expected in (("provider", str, "a text"), ("model", str, "a text"), ("tags", dict, "an object")):
        if name in named and not isinstance(named[name], kind):
            raise BadLineError(f"field {name!r} is a {type(named[name]).__name__}, expected {expected}")
    return named


def instant_of(value: object) -> datetime:
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
    if isinstance(value, str):
        return TrackableRef.parse(value)
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return (named.get("type"), named.get("id"))
    return value
