"""What was spent of every budget in every period, exactly; its forecasts are statistics, and left out."""

import json
import tomllib
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.audit.compare import Recomputed
from tests.audit.rows import Books, Row, grouped, next_start, share, start_of, total
from tests.audit.trees import Trees

FORECAST = (
    *("forecast_usd", "forecast_low_usd", "forecast_high_usd"),
    *("forecast_crossing_on", "forecast_error", "forecast_coverage"),
)
KEYED = {"trackable": "/", "tag": "="}


def recomputed(books: Books) -> Iterable[Recomputed]:
    text = (books.home / "budgets.toml").read_text(encoding="utf-8")
    trees = Trees(books.rows)
    rows = [
        row for entry in tomllib.loads(text, parse_float=Decimal)["budget"] for row in _periods(books, trees, entry)
    ]
    yield Recomputed("budget_status", ("budget_name", "period_start"), rows, FORECAST)


def _periods(books: Books, trees: Trees, entry: dict[str, Any]) -> Iterable[Row]:
    """The periods of one entry from the ledger's first day to its last, up to today."""
    key, value = _key_and_value(entry)
    spent = grouped(
        (row for row in books.rows if _covers(trees, entry["scope"], key, value, entry.get("tenant"), row)),
        lambda row: row["reporting_date"],
    )
    days = [row["reporting_date"] for row in books.rows if books.has_come(row["reporting_date"])]
    first, last = min(days), max(days)
    every_day = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    for start, of_period in grouped([{"day": day} for day in every_day], lambda row: _start(entry, row["day"])).items():
        end = entry["to"] if entry["period"] == "term" else next_start(entry["period"], start) - timedelta(days=1)
        inside = [row["day"] for row in of_period if start <= row["day"] <= end]
        if inside and entry.get("from", start) <= start <= entry.get("to", start):
            yield _stands(entry, (key, value), spent, inside, (start, end, last, books.today))


def _stands(
    entry: dict[str, Any],
    covers: tuple[str | None, str | None],
    spent: dict[date, list[Row]],
    days: list[date],
    dates: tuple[date, date, date, date],
) -> Row:
    start, end, status_date, today = dates
    whole_until = min(status_date, today - timedelta(days=1))
    limit = Decimal(entry["limit_usd"])
    costs = {day: total(row["cost_usd"] for row in spent.get(day, [])) or Decimal(0) for day in days}
    so_far, crossed = Decimal(0), None
    for day in days:
        so_far += costs[day]
        crossed = day if crossed is None and so_far > limit else crossed
    whole = [day for day in days if day <= whole_until]
    rows = [row for day in days for row in spent.get(day, [])]
    reached = [percent for percent in entry.get("warn", [80]) if so_far > 0 and so_far * 100 >= limit * percent]
    on_whole_days = total(costs[day] for day in whole)
    return {
        "budget_name": entry["name"],
        "scope": entry["scope"],
        "scope_key": covers[0],
        "scope_value": covers[1],
        "tenant": entry.get("tenant"),
        "period": entry["period"],
        "period_start": start,
        "period_end": end,
        "status_date": status_date,
        "last_whole_date": whole_until,
        "is_current": end >= status_date,
        "days_elapsed": len(whole),
        "days_left": (end - min(days[-1], whole_until)).days,
        "requests": sum(row["requests"] for row in rows),
        "unpriced_requests": sum(row["unpriced_requests"] for row in rows),
        "limit_usd": limit,
        "spent_usd": so_far,
        "left_usd": limit - so_far,
        "share_spent": share(so_far, limit),
        "burn_usd_per_day": share(on_whole_days, len(whole)),
        "status": "over" if so_far > limit else "warn" if reached else "ok",
        "warn_percent": max(reached, default=None),
        "crossed_on": crossed,
    }


def _key_and_value(entry: dict[str, Any]) -> tuple[str | None, str | None]:
    value = entry.get("value")
    if entry["scope"] in KEYED:
        key, _, value = str(value).partition(KEYED[entry["scope"]])
        return key, value
    return None, value


def _start(entry: dict[str, Any], day: date) -> date:
    return entry["from"] if entry["period"] == "term" else start_of(entry["period"], day)


def _covers(trees: Trees, scope: str, key: str | None, value: Any, tenant: str | None, row: Row) -> bool:
    if tenant is not None and row["tenant"] != tenant:
        return False
    if scope == "trackable":
        return (key, value) in trees.things(row)
    if scope == "tag":
        tag = json.loads(row["tags"] or "{}").get(key)
        return tag is not None and str(tag) == value
    named = {
        "tenant": (row["tenant"],),
        "user": (row["user_id"],),
        "request_type": (row["request_type"],),
        "model": (row["llm"], row["model"]),
    }
    return scope == "all" or value in named[scope]
