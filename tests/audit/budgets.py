"""What was spent of every budget in every period, exactly, and the forecast by the rule of docs/budgets.md: a day costs
what its weekday cost on average in the last four weeks. How wide an interval is, is left out."""

import json
import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.audit.compare import Recomputed
from tests.audit.rows import Books, Row, grouped, next_start, share, start_of, total
from tests.audit.trees import Trees

DAY = timedelta(days=1)
INTERVAL = ("low_usd", "high_usd")
INTERVAL_OF_STATUS = ("forecast_low_usd", "forecast_high_usd", "forecast_error", "forecast_coverage")
ROUNDED = 2e-9
"""Forecasts of closed periods are published to nine places."""

KEYED = {"trackable": "/", "tag": "="}


@dataclass(frozen=True)
class Spending:
    """What one entry covers, day by day from the ledger's first day to its last; known is what is of whole days."""

    entry: dict[str, Any]
    rows: dict[date, list[Row]]
    days: list[date]
    last_whole: date

    def usd(self, day: date) -> Decimal:
        return total(row["cost_usd"] for row in self.rows.get(day, [])) or Decimal(0)

    def is_known(self, day: date) -> bool:
        return bool(self.rows) and max(self.days[0], min(self.rows)) <= day <= self.last_whole

    def mean(self, until: date, days: int, step: int = 1) -> float | None:
        """Of so many days, `step` apart, up to one."""
        asked = (until - number * step * DAY for number in range(days))
        known = [float(self.usd(day)) for day in asked if self.is_known(day)]
        return math.fsum(known) / len(known) if known else None

    def expected(self, day: date, cutoff: date) -> float | None:
        """What was forecast of a day on the evening of another."""
        weekday = self.mean(day - 7 * math.ceil((day - cutoff) / (7 * DAY)) * DAY, 4, 7)
        return self.mean(cutoff, 28) if weekday is None else weekday

    def periods(self) -> Iterable[tuple[date, date, list[date]]]:
        """First day, last day and the days so far of each period that the entry is in force for."""
        entry = self.entry
        of_term = entry["period"] == "term"
        starts = grouped(
            ({"day": day} for day in self.days),
            lambda row: entry["from"] if of_term else start_of(entry["period"], row["day"]),
        )
        for start, rows in starts.items():
            end = entry["to"] if of_term else next_start(entry["period"], start) - DAY
            inside = [row["day"] for row in rows if start <= row["day"] <= end]
            if inside and entry.get("from", start) <= start <= entry.get("to", start):
                yield start, end, inside


def recomputed(books: Books) -> Iterable[Recomputed]:
    text = (books.home / "budgets.toml").read_text(encoding="utf-8")
    trees = Trees(books.rows)
    come = [row["reporting_date"] for row in books.rows if books.has_come(row["reporting_date"])]
    days = [min(come) + number * DAY for number in range((max(come) - min(come)).days + 1)]
    entries = [
        Spending(entry, _covered(books, trees, entry), days, min(days[-1], books.today - DAY))
        for entry in tomllib.loads(text, parse_float=Decimal)["budget"]
    ]
    status = [_stands(of_entry, *period) for of_entry in entries for period in of_entry.periods()]
    yield Recomputed("budget_status", ("budget_name", "period_start"), status, INTERVAL_OF_STATUS)
    forecasts = [row for of_entry in entries for row in _forecasts(of_entry)]
    yield Recomputed("budget_forecast", ("budget_name", "forecast_date"), forecasts, INTERVAL)
    tested = [row for of_entry in entries for row in _backtest(of_entry)]
    key = ("budget_name", "period_start", "cutoff_date", "forecast_method")
    yield Recomputed("forecast_backtest", key, tested, (*INTERVAL, "is_within"), ROUNDED)


def _forecasts(spending: Spending) -> Iterable[Row]:
    """Each day to come of the current period; today costs what its weekday does, or what it has cost already."""
    status_date, last = spending.days[-1], spending.last_whole
    for start, end, days in spending.periods():
        if status_date not in days or spending.mean(last, 28) is None:
            continue
        before = total(spending.usd(day) for day in days if day <= last) or Decimal(0)
        so_far = [float(before)]
        for ahead in range(1, (end - last).days + 1):
            day = last + ahead * DAY
            expected = spending.expected(day, last) or 0.0
            if day <= status_date:
                expected = max(expected, float(spending.usd(day)))
            so_far.append(expected)
            yield {
                "budget_name": spending.entry["name"],
                "period_start": start,
                "forecast_date": day,
                "status_date": status_date,
                "last_whole_date": last,
                "days_ahead": ahead,
                "expected_usd": expected,
                "cumulative_usd": math.fsum(so_far),
                "is_over": math.fsum(so_far) > float(spending.entry["limit_usd"]),
            }


def _backtest(spending: Spending) -> Iterable[Row]:
    """Of each closed period what was forecast on each evening, once two weeks were known, beside two naive methods."""
    for start, end, days in spending.periods():
        if end > spending.last_whole:
            continue
        for cutoff in (start + number * DAY for number in range(-1, (end - start).days)):
            known = sum(spending.is_known(day) for day in spending.days if day <= cutoff)
            rest = [day for day in days if day > cutoff]
            if known < 14 or cutoff not in spending.days:
                continue
            actual, spent = (total(map(spending.usd, some)) for some in (days, [day for day in days if day <= cutoff]))
            spent = spent or Decimal(0)
            to_come = {
                "weekday_mean": math.fsum(spending.expected(day, cutoff) or 0.0 for day in rest),
                "mean": (spending.mean(cutoff, 28) or 0.0) * len(rest),
                "last_value": float(spending.usd(cutoff)) * len(rest),
            }
            for method, usd in to_come.items():
                yield {
                    "budget_name": spending.entry["name"],
                    "period_start": start,
                    "period_end": end,
                    "cutoff_date": cutoff,
                    "forecast_method": method,
                    "days_ahead": len(rest),
                    "spent_usd": spent,
                    "actual_usd": actual,
                    "forecast_usd": float(spent) + usd,
                    "error_usd": float(spent) + usd - float(actual),
                }


def _stands(spending: Spending, start: date, end: date, days: list[date]) -> Row:
    entry, status_date, last = spending.entry, spending.days[-1], spending.last_whole
    limit = Decimal(entry["limit_usd"])
    so_far, crossed = Decimal(0), None
    for day in days:
        so_far += spending.usd(day)
        crossed = day if crossed is None and so_far > limit else crossed
    whole = [day for day in days if day <= last]
    rows = [row for day in days for row in spending.rows.get(day, [])]
    reached = [percent for percent in entry.get("warn", [80]) if so_far > 0 and so_far * 100 >= limit * percent]
    key, value = _key_and_value(entry)
    is_current, days_left = end >= status_date, (end - min(days[-1], last)).days
    forecasts = list(_forecasts(spending)) if is_current else []
    ends = [row["cumulative_usd"] for row in forecasts if row["forecast_date"] == end]
    crossings = [row["forecast_date"] for row in forecasts if row["is_over"]]
    return {
        "budget_name": entry["name"],
        "scope": entry["scope"],
        "scope_key": key,
        "scope_value": value,
        "tenant": entry.get("tenant"),
        "period": entry["period"],
        "period_start": start,
        "period_end": end,
        "status_date": status_date,
        "last_whole_date": last,
        "is_current": is_current,
        "days_elapsed": len(whole),
        "days_left": days_left,
        "requests": sum(row["requests"] for row in rows),
        "unpriced_requests": sum(row["unpriced_requests"] for row in rows),
        "limit_usd": limit,
        "spent_usd": so_far,
        "left_usd": limit - so_far,
        "share_spent": share(so_far, limit),
        "burn_usd_per_day": share(total(map(spending.usd, whole)), len(whole)),
        "status": "over" if so_far > limit else "warn" if reached else "ok",
        "warn_percent": max(reached, default=None),
        "crossed_on": crossed,
        "forecast_usd": float(so_far) if is_current and days_left == 0 else (ends or [None])[0],
        "forecast_crossing_on": min(crossings, default=None) if crossed is None else None,
    }


def _covered(books: Books, trees: Trees, entry: dict[str, Any]) -> dict[date, list[Row]]:
    key, value = _key_and_value(entry)
    rows = (row for row in books.rows if _covers(trees, entry["scope"], key, value, entry.get("tenant"), row))
    return grouped(rows, lambda row: row["reporting_date"])


def _key_and_value(entry: dict[str, Any]) -> tuple[str | None, str | None]:
    value = entry.get("value")
    if entry["scope"] in KEYED:
        key, _, value = str(value).partition(KEYED[entry["scope"]])
        return key, value
    return None, value


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
