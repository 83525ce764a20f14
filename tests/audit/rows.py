"""The rows of a ledger, read from the Parquet files that its manifest names, and what stands at each call's end."""

import json
import sqlite3
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

Row = dict[str, Any]

COUNTS = (
    "requests",
    "failed_requests",
    "unpriced_requests",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "token_count",
    "micro_usd",
)
MEASURES = (*COUNTS, "cost_usd")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORDS = (
    "tokens_from_text",
    "totals_disagree",
    "split_assumed",
    "standard_rate_for",
    "factor_for",
    "unpriced_unit",
    "rate_before_its_start",
    "other_sellers_price",
    "undated_price",
)
"""What a price may rest on, in the order in which reports name it."""


@dataclass(frozen=True)
class Books:
    """The rows of one home in one zone. `today` is the last day that is no future."""

    home: Path
    zone: ZoneInfo
    today: date
    rows: list[Row]

    @classmethod
    def read(cls, home: Path, zone: str, today: date) -> "Books":
        rows = prepared(segment_rows(home), ZoneInfo(zone))
        return cls(home, ZoneInfo(zone), today, rows)

    def known_at(self, instant: datetime) -> "Books":
        """The same books as they were known then: rows that were recorded later are left out."""
        known = (row for row in self.rows if row["recorded_at"] <= instant)
        return Books(self.home, self.zone, self.today, prepared(known, self.zone))

    @cached_property
    def calls(self) -> list[Row]:
        """Each call once, as it was first recorded."""
        return [row for row in self.rows if row["requests"]]

    @cached_property
    def corrections(self) -> dict[str, list[Row]]:
        """By the call's id, those that a call has had, in order."""
        return grouped((row for row in self.rows if not row["requests"]), lambda row: row["call_id"])

    @cached_property
    def model_names(self) -> dict[tuple[str, str], str | None]:
        """By provider and the name it uses: the model that priced calls of that name were."""
        named = [row for row in self.rows if row["cost_usd"] is not None and row["model"] is not None]
        groups = grouped(named, lambda row: (row["provider"], row["model"]))
        return {key: max((row["llm"] for row in rows if row["llm"]), default=None) for key, rows in groups.items()}

    def known_llm(self, row: Row) -> str | None:
        return self.model_names.get((row["provider"], row["llm"])) or row["llm"]

    def has_come(self, day: date) -> bool:
        return date(2000, 1, 1) <= day <= self.today


def segment_rows(home: Path) -> list[Row]:
    with sqlite3.connect(f"file:{home / 'manifest.sqlite'}?mode=ro", uri=True) as manifest:
        segments = manifest.execute("select usage_date, name from segments where row_count > 0").fetchall()
    files = [home / "usage" / f"usage_date={day}" / f"{name}.parquet" for day, name in segments]
    return [row for file in files for row in pl.read_parquet(file, hive_partitioning=False).to_dicts()]


def prepared(rows: Iterable[Row], zone: ZoneInfo) -> list[Row]:
    """The same rows with what follows from one row alone, and the words that its call stands at."""
    made = [_with_own(row, zone) for row in rows]
    last: dict[str, Row] = {}
    for row in sorted(made, key=lambda row: (row["recorded_at"], row["record_id"])):
        if not row["requests"]:
            last[row["call_id"]] = row
    for row in made:
        said = last.get(row["call_id"], row)
        row["standing"] = {
            name: said[name] for name in ("status", "error_type", "pricing_status", "assumed", "coverage")
        }
    return made


def _with_own(row: Row, zone: ZoneInfo) -> Row:
    is_call = row["charge_class"] == "usage"
    has_used = row["token_count"] is not None or row["other_units"] is not None
    failed = row["pricing_status"] == "unpriced" and row["status"] == "error" and not has_used
    local = row["occurred_at"].astimezone(zone)
    parent = (row["trackable_parent_type"], row["trackable_parent_id"])
    thing = (row["trackable_type"], row["trackable_id"])
    coverage = "failed" if failed else row["pricing_status"]
    return row | {
        "call_id": row["corrects_record_id"] or row["record_id"],
        "requests": int(is_call),
        "failed_requests": int(is_call and row["status"] == "error"),
        "unpriced_requests": int(coverage == "unpriced") - int(row["corrects_pricing_status"] == "unpriced"),
        "coverage": coverage,
        "assumed": _assumed(row),
        "thing": thing,
        "holder": parent if parent[0] is not None else thing,
        "reporting_date": local.date(),
        "reporting_hour": local.hour,
        "usage_date": row["occurred_at"].astimezone(UTC).date(),
        "is_retry": (row["attempt"] or 0) > 1 or row["retry_of"] is not None,
    }


def _assumed(row: Row) -> str | None:
    if row["price_assumptions"] is None:
        return "tokens_from_text" if row["pricing_status"] == "estimated" else None
    found = {word for entry in json.loads(row["price_assumptions"]) for word in entry}
    return ", ".join(word for word in WORDS if word in found)


def grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def total(values: Iterable[Any]) -> Any:
    """The exact sum of what is known; `None` where nothing is."""
    known = [value for value in values if value is not None]
    with localcontext(prec=60):
        return sum(known[1:], known[0]) if known else None


def measures(rows: Iterable[Row]) -> Row:
    rows = list(rows)
    return {name: total(row[name] for row in rows) for name in MEASURES}


def share(part: Decimal | int | None, whole: Decimal | int | None) -> float | None:
    return None if part is None or not whole else float(part) / float(whole)


def with_shares(rows: list[Row], over: Callable[[Row], Hashable], **names: str) -> list[Row]:
    """Each row with its part of the sum of all rows of the same key: `names` are the shares', and of what they are."""
    for group in grouped(rows, over).values():
        for name, of in names.items():
            whole = total(row[of] for row in group)
            for row in group:
                row[name] = share(row[of], whole)
    return rows


def start_of(period: str, day: date, fiscal_first_month: int = 9) -> date:
    """The first day of the period that a day is in; weeks begin on Mondays."""
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=day.weekday())
    if period == "month":
        return day.replace(day=1)
    since = (day.month - fiscal_first_month) % (12 if period == "year" else 3)
    return months_later(day.replace(day=1), -since)


def months_later(first: date, months: int) -> date:
    number = first.year * 12 + first.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def next_start(period: str, start: date) -> date:
    if period in ("day", "week"):
        return start + timedelta(days=1 if period == "day" else 7)
    return months_later(start, {"month": 1, "quarter": 3, "year": 12}[period])


def milliseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
