"""Spend logs of LiteLLM's proxy, the rows of its table LiteLLM_SpendLogs as JSON lines or CSV.

Source: `schema.prisma` of BerriAI/litellm. `spend` is what LiteLLM says a call cost; it is kept beside ours. An answer
from LiteLLM's own cache was no provider's call.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tracking import CostTrackingError, LLMResponse
from warehouse.importing.calls import BadLineError, SourceCall, instant_of, with_stated_cost
from warehouse.importing.json_lines import check_last_line, first_object, json_lines, object_in
from warehouse.importing.tables import columns, header, rows

KNOWN_BY = frozenset({"request_id", "call_type", "spend", "startTime"})
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
UNNAMED = frozenset({"", "None", "null"})
PROXY = "litellm_proxy"
"""Whose call one is that failed before a provider was chosen."""


class LiteLLMSpendLogs:
    """A row is one call."""

    @staticmethod
    def reads(file: Path) -> bool:
        named = header(file) if _is_csv(file) else first_object(file)
        return set(named) >= KNOWN_BY

    def check(self, file: Path) -> None:
        if _is_csv(file):
            columns(file)
        else:
            check_last_line(file)

    def calls(self, file: Path) -> Iterator[SourceCall]:
        entries = _csv_entries(file) if _is_csv(file) else _json_entries(file)
        for number, content, size, entry in entries:
            if isinstance(entry, BadLineError):
                yield SourceCall(number, content, size, {}, entry)
            elif str(entry.get("cache_hit")).lower() != "true":
                yield _call_of(number, content, size, entry)


Entry = tuple[int, bytes, int, Mapping[str, Any] | BadLineError]


def _is_csv(file: Path) -> bool:
    return file.suffix.lower() == ".csv"


def _csv_entries(file: Path) -> Iterator[Entry]:
    for row in rows(file):
        yield row.number, row.content, row.size, row.fault or row.cells


def _json_entries(file: Path) -> Iterator[Entry]:
    for line in json_lines(file):
        try:
            yield line.number, line.content, line.size, line.fields()
        except BadLineError as fault:
            yield line.number, line.content, line.size, fault


def _call_of(number: int, content: bytes, size: int, entry: Mapping[str, Any]) -> SourceCall:
    metadata = object_in(_decoded(entry.get("metadata")))
    tags = _decoded(entry.get("request_tags"))
    attribution = {
        "user": _text(entry.get("end_user")) or _text(entry.get("user")) or _text(metadata.get("user_api_key_user_id")),
        "tenant": _text(entry.get("team_id")),
        "trace_id": _text(entry.get("session_id")),
        "tags": {str(tag): True for tag in cast("list[object]", tags)} if isinstance(tags, list) else None,
        "provider": _text(entry.get("custom_llm_provider")),
    }
    fields: dict[str, Any] = dict(attribution)
    fault: Exception | None = None
    try:
        start, end = _instant(entry.get("startTime")), _instant(entry.get("endTime"))
        fields["occurred_at"] = start
        if start is not None and end is not None and end >= start:
            fields["latency_ms"] = int((end - start).total_seconds() * 1000)
        fields["response"] = _response(entry, metadata)
    except (BadLineError, CostTrackingError) as error:
        fault = error
    return SourceCall(number, content, size, fields, fault, _text(entry.get("request_id")))


def _response(entry: Mapping[str, Any], metadata: Mapping[str, Any]) -> LLMResponse:
    provider, model = _text(entry.get("custom_llm_provider")), _text(entry.get("model"))
    if "failure" in (entry.get("status"), metadata.get("status")):
        return LLMResponse.failed(provider=provider or PROXY, model=model)
    usage = object_in(metadata.get("usage_object")) or {name: _count(name, entry.get(name)) for name in COUNTS}
    answer = {"id": _text(entry.get("request_id")), "model": model, "usage": usage}
    return with_stated_cost(LLMResponse.from_provider(answer, provider=provider), _text(entry.get("spend")))


def _count(name: str, value: object) -> int | None:
    if value is None or isinstance(value, int):
        return value
    if not isinstance(value, str) or not value.isdecimal():
        raise BadLineError(f"{name} is not a whole number")
    return int(value)


def _instant(value: object) -> datetime | None:
    """What PostgreSQL exports names no zone, and is UTC."""
    if _text(value) is None:
        return None
    instant = instant_of(value)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _text(value: object) -> str | None:
    text = "" if value is None else repr(value) if isinstance(value, float) else str(value)
    return None if text in UNNAMED else text


def _decoded(value: object) -> object:
    """A column of JSON, which CSV holds as text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None
