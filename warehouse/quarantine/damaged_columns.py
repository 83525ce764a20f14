"""What of a journal's damaged line can still be read: known columns, each with a value of its own kind."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, cast

import polars as pl

from tracking import CostTrackingError, LLMUsageRecord
from tracking.assumptions import assumptions_from_json
from tracking.money import as_cost_usd
from tracking.rows.record import NOT_UNICODE
from tracking.terms import context_from_json
from tracking.usage import TOKEN_COUNTS, units_from_json
from warehouse.ledger.schema import JOURNAL_SCHEMA

PAIR = re.compile(
    r'(?<!\\)"(?P<name>[a-z][a-z0-9_]{1,40})"\s*:\s*'
    r'(?P<value>"(?:[^"\\]|\\.){0,4096}"|-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?=[\s,}])|true|false)'
)
"""Quotes within a prompt are escaped in a line, so nothing of it looks like a column."""

KINDS: dict[type[pl.DataType], type] = {pl.String: str, pl.Int64: int, pl.Boolean: bool}
"""Of the values of columns in a journal's JSON."""

Columns = dict[str, Any]


def readable_columns(text: str) -> Columns:
    """The columns of a row that a line, of whatever bytes, says; of one said twice the first."""
    columns: Columns = {}
    for found in PAIR.finditer(text):
        if (name := found["name"]) in JOURNAL_SCHEMA and name not in columns:
            with suppress(ValueError):
                value = json.loads(found["value"])
                if type(value) is KINDS[type(JOURNAL_SCHEMA[name])] and _is_unicode(value):
                    columns[name] = value
    return columns


def record_of(columns: Mapping[str, Any]) -> LLMUsageRecord | None:
    """The row itself, where all of it can be read and agrees with itself."""
    try:
        return LLMUsageRecord.model_validate_json(json.dumps(columns))
    except ValueError:
        return None


def entry_of_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns as quarantine keeps a call: whose it was, when it was made, and its answer by its counts."""
    column = columns.get
    entry: dict[str, Any] = {
        name: column(name)
        for name in ("request_type", "tenant", "trace_id", "provider", "model", "occurred_at", "status")
    }
    entry |= {name: column(name) for name in ("attempt", "retry_of", "latency_ms", "ttft_ms")}
    entry |= {"user": column("user_id"), "trackable": _reference(columns, "trackable")}
    entry |= {"trackable_parent": _reference(columns, "trackable_parent"), "tags": _mapping(column("tags"))}
    if column("pricing_status") == "unpriced" and column("status") == "error":
        usage: dict[str, Any] = {}
    else:
        usage = {name: column(name) for name in TOKEN_COUNTS if isinstance(column(name), int)}
        with suppress(ValueError, CostTrackingError, RecursionError):
            usage |= {name: str(quantity) for name, quantity in units_from_json(_plain(column("other_units"))).items()}
        if not usage:
            return entry
    answer = {name: column(name) for name in ("provider", "model", "service_tier", "region", "stream", "status")}
    answer |= {name: column(name) for name in ("finish_reason", "error_type")}
    answer |= {"id": column("provider_response_id"), "usage": usage, "provider_cost": column("provider_cost_usd")}
    with suppress(ValueError, CostTrackingError, RecursionError):
        answer["price_context"] = dict(context_from_json(_plain(column("price_context"))))
        answer["assumptions"] = list(assumptions_from_json(_plain(column("price_assumptions"))))
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


def _plain(text: Any) -> Any:
    """The JSON in a column. ValueError where an escape within it is no character."""
    if isinstance(text, str) and not _is_unicode(json.dumps(json.loads(text), ensure_ascii=False)):
        raise ValueError("not valid Unicode")
    return text


def _is_unicode(value: object) -> bool:
    """Whether it can be written; `"\\ud800"` in JSON is read, and is no character."""
    return not (isinstance(value, str) and NOT_UNICODE.search(value))


def _mapping(text: object) -> dict[str, Any] | None:
    try:
        tags: object = json.loads(_plain(text)) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", tags) if isinstance(tags, dict) else None
