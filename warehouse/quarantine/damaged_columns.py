"""What of a journal's damaged line can still be read: known columns, each with a value of its own kind."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, cast

from tracking import LLMUsageRecord, UsageError
from tracking.assumptions import assumptions_from_json
from tracking.money import as_cost_usd
from tracking.terms import context_from_json
from tracking.usage import TOKEN_COUNTS, units_from_json

PAIR = re.compile(
    r'(?<!\\)"(?P<name>[a-z][a-z0-9_]{1,40})"\s*:\s*'
    r'(?P<value>"(?:[^"\\]|\\.){0,4096}"|-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?=[\s,}])|true|false)'
)
"""Quotes within a prompt are escaped in a line, so nothing of it looks like a column."""

Columns = dict[str, Any]


def readable_columns(text: str) -> Columns:
    """The columns of a row that a line, of whatever bytes, says; of one said twice the first."""
    columns: Columns = {}
    for found in PAIR.finditer(text):
        if (name := found["name"]) in LLMUsageRecord.model_fields and name not in columns:
            with suppress(ValueError):
                columns[name] = json.loads(found["value"])
    return columns


def record_of(columns: Mapping[str, Any]) -> LLMUsageRecord | None:
    """The row itself, where all of it can be read and agrees with itself."""
    try:
        return LLMUsageRecord.model_validate_json(json.dumps(columns))
    except ValueError:
        return None


def entry_of_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns as quarantine keeps a call: whose it was, when it was made, and its answer by its counts."""
    said = columns.get
    entry: dict[str, Any] = {
        name: said(name)
        for name in ("request_type", "tenant", "trace_id", "provider", "model", "occurred_at", "status")
    }
    entry |= {name: said(name) for name in ("attempt", "retry_of", "latency_ms", "ttft_ms")}
    entry |= {"user": said("user_id"), "trackable": _reference(columns, "trackable")}
    entry |= {"trackable_parent": _reference(columns, "trackable_parent"), "tags": _mapping(said("tags"))}
    if said("pricing_status") == "unpriced" and said("status") == "error":
        usage: dict[str, Any] = {}
    else:
        usage = {name: said(name) for name in TOKEN_COUNTS if isinstance(said(name), int)}
        with suppress(UsageError):
            usage |= {name: str(quantity) for name, quantity in units_from_json(said("other_units")).items()}
        if not usage:
            return entry
    answer = {name: said(name) for name in ("provider", "model", "service_tier", "region", "stream", "status")}
    answer |= {name: said(name) for name in ("finish_reason", "error_type")}
    answer |= {"id": said("provider_response_id"), "usage": usage, "provider_cost": said("provider_cost_usd")}
    with suppress(ValueError, UsageError):
        answer["price_context"] = dict(context_from_json(said("price_context")))
        answer["assumptions"] = list(assumptions_from_json(said("price_assumptions")))
    return entry | {"response": answer}


def cost_of_columns(columns: Mapping[str, Any]) -> Decimal | None:
    """What the line itself says it cost."""
    try:
        return as_cost_usd(columns.get("cost_usd"))
    except ValueError:
        return None


def _reference(columns: Mapping[str, Any], kind: str) -> str | None:
    parts = (columns.get(f"{kind}_type"), columns.get(f"{kind}_id"))
    return None if None in parts else ":".join(cast("tuple[str, str]", parts))


def _mapping(text: object) -> dict[str, Any] | None:
    try:
        tags: object = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return cast("dict[str, Any]", tags) if isinstance(tags, dict) else None
