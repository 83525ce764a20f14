"""Rows of a table whose columns a mapping file explains."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from tracking import ArgumentError, CostTrackingError, LLMResponse, Usage
from tracking.usage import TOKEN_COUNTS
from warehouse.importing.calls import FIELDS, ImportFileError, SourceCall, instant_of
from warehouse.importing.mapping import ANSWER, TRACKABLES, TableMapping
from warehouse.importing.tables import Row, columns, rows

PLAIN = FIELDS - {"response", "tags", *TRACKABLES}
WHOLE_NUMBERS = ("latency_ms", "ttft_ms", "attempt")
TICKS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}
"""Of a second."""
MOST_DIGITS = 40
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TableRows:
    """A row is one call."""

    def __init__(self, mapping: TableMapping, provider: str | None) -> None:
        self._mapping = mapping
        self._provider = provider

    def check(self, file: Path) -> None:
        names = columns(file)
        for said, column in self._mapping.columns.items():
            if column not in names:
                known = ", ".join(map(repr, names))
                raise ImportFileError(f"{file} has no column {column!r}, which says {said}; it has {known}")

    def calls(self, file: Path) -> Iterator[SourceCall]:
        return map(self._call, rows(file))

    def _call(self, row: Row) -> SourceCall:
        columns: dict[str, Any] = dict(self._mapping.values)
        columns |= {name: row.cells[column] for name, column in self._mapping.columns.items() if column in row.cells}
        fields = {name: value for name, value in columns.items() if name in PLAIN}
        fault: Exception | None = row.fault
        try:
            fields |= _trackables(columns)
            fields["tags"] = _below("tags.", columns) or None
            fields |= {name: _number(name, columns[name]) for name in WHOLE_NUMBERS if name in columns}
            if "occurred_at" in columns:
                fields["occurred_at"] = self._instant(columns["occurred_at"])
            fields["response"] = self._answer(columns)
        except CostTrackingError as error:
            fault = fault or error
        return SourceCall(row.number, row.content, row.size, fields, fault)

    def _answer(self, columns: Mapping[str, Any]) -> LLMResponse:
        counts = {name: _number(name, columns[name]) for name in TOKEN_COUNTS if name in columns}
        units = {name: _number(name, value) for name, value in _below("units.", columns).items()}
        facts = {name: str(columns[name]) for name in ANSWER & columns.keys() if name != "cost_usd"}
        return LLMResponse(
            provider=cast(str, columns.get("provider", self._provider)),
            model=columns.get("model"),
            usage=Usage(**cast("dict[str, Any]", counts), other_units=cast("dict[str, Any]", units)),
            provider_cost=Decimal(_number("cost_usd", columns["cost_usd"])) if "cost_usd" in columns else None,
            **cast("dict[str, Any]", facts),
        )

    def _instant(self, value: object) -> datetime:
        if self._mapping.time_unit is not None:
            ticks = Decimal(_number("occurred_at", value)) * (1_000_000 // TICKS[self._mapping.time_unit])
            try:
                return EPOCH + timedelta(microseconds=int(ticks))
            except OverflowError:
                raise ArgumentError("occurred_at", f"({str(value)[:40]}) is out of range") from None
        instant = instant_of(value)
        if instant.tzinfo is None and self._mapping.time_zone is not None:
            try:
                return instant.replace(tzinfo=ZoneInfo(self._mapping.time_zone)).astimezone(UTC)
            except OverflowError:
                raise ArgumentError("occurred_at", f"({str(value)[:40]}) is out of range in UTC") from None
        return instant


def _trackables(said: Mapping[str, Any]) -> dict[str, object]:
    named: dict[str, object] = {name: said[name] for name in TRACKABLES if name in said}
    for name in TRACKABLES:
        if f"{name}_id" in said:
            named[name] = {part: str(said.get(f"{name}_{part}", "")) for part in ("type", "id")}
    return named


def _below(prefix: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in said.items() if name.startswith(prefix)}


def _number(name: str, value: object) -> int | Decimal:
    """A cell as an exact number; whole where it is, as `1200.0` is."""
    try:
        number = Decimal(repr(value) if isinstance(value, float | bool) else cast("str | int | Decimal", value))
        if not number.is_finite():
            raise ValueError
    except (ArithmeticError, TypeError, ValueError):
        raise ArgumentError(name, f"({str(value)[:40]!r}) is not a number") from None
    if number.adjusted() > MOST_DIGITS:  # as an int it would fill the memory
        raise ArgumentError(name, f"({str(value)[:40]!r}) is too large")
    return int(number) if number == number.to_integral_value() else number
