"""How complete the books are: coverage by prices, refused calls, late rows, reused ids; and the rows themselves."""

import sqlite3
from collections.abc import Iterable

from tests.audit.compare import Recomputed
from tests.audit.rows import MEASURES, Books, Row, grouped, measures, milliseconds, start_of, total, with_shares
from tracking.home import Home
from warehouse.quarantine.standing import standing_refusals

SHARES = {"share_of_requests": "requests", "share_of_tokens": "token_count", "share_of_cost": "cost_usd"}
LATE = {"hour_late_requests": 3_600_000, "day_late_requests": 86_400_000}
UNUSABLE = [
    {"file_name": "users.csv", "line_number": 2, "reason": "named again in line 6, which counts"},
    {"file_name": "users.csv", "line_number": 7, "reason": "name is empty"},
]
"""What is wrong with the names of `hostile.NAMES`."""

CONFLICT = (
    *("event_key", "record_id", "tenant", "user_id", "trackable_type", "trackable_id", "request_type", "provider"),
    *("llm", "provider_response_id", "token_count", "cost_usd", "occurred_at", "recorded_at"),
)


def recomputed(books: Books) -> Iterable[Recomputed]:
    refused = _refused(books)
    yield _coverage(books, refused)
    yield _refused_by_day(refused)
    yield _late(books)
    yield _fresh(books)
    yield _conflicts(books)
    yield Recomputed("unusable_names", ("file_name", "line_number"), UNUSABLE)
    own = (
        "call_id",
        "standing",
        "coverage",
        "assumed",
        "thing",
        "holder",
        "reporting_date",
        "reporting_hour",
        "is_retry",
    )
    rows = [{name: value for name, value in row.items() if name not in own} for row in books.rows]
    yield Recomputed("fct_usage", ("record_id",), rows)


def _refused(books: Books) -> list[Row]:
    """The refused calls as quarantine holds them: reading them, and what each would have cost, is not recomputed."""
    return [
        {
            "reporting_date": call.occurred_at.astimezone(books.zone).date(),
            "provider": call.provider,
            "kind": call.kind.value,
            "state": call.state.value,
            "error": call.error,
            "reason": call.reason,
            "was_acknowledged": call.was_acknowledged,
            "estimated_usd": call.estimated_usd,
        }
        for call in standing_refusals(Home(books.home))
    ]


def _coverage(books: Books, refused: list[Row]) -> Recomputed:
    key = ("reporting_month", "pricing_status", "assumed")
    groups = grouped(
        books.rows,
        lambda row: (start_of("month", row["reporting_date"]), row["standing"]["coverage"], row["standing"]["assumed"]),
    )
    rows = [
        dict(zip(key, values, strict=True)) | measures(group) | {"refused_requests": 0, "refused_estimated_usd": None}
        for values, group in groups.items()
    ]
    waiting = [call for call in refused if call["state"] == "waiting"]
    for month, calls in grouped(waiting, lambda call: start_of("month", call["reporting_date"])).items():
        nothing = {name: 0 if name.endswith("requests") else None for name in MEASURES}
        counted = {
            "refused_requests": len(calls),
            "refused_estimated_usd": total(call["estimated_usd"] for call in calls),
        }
        rows.append({"reporting_month": month, "pricing_status": "refused", "assumed": None} | nothing | counted)
    return Recomputed("pricing_coverage", key, with_shares(rows, lambda row: row["reporting_month"], **SHARES))


def _refused_by_day(refused: list[Row]) -> Recomputed:
    key = ("reporting_date", "provider", "kind", "state", "error", "reason")
    rows = [
        dict(zip(key, values, strict=True))
        | {
            "calls": len(calls),
            "acknowledged_calls": sum(call["was_acknowledged"] for call in calls),
            "calls_without_estimate": sum(call["estimated_usd"] is None for call in calls),
            "estimated_usd": total(call["estimated_usd"] for call in calls),
        }
        for values, calls in grouped(refused, lambda call: tuple(call[name] for name in key)).items()
    ]
    return Recomputed("quarantine_summary", key, rows)


def _late(books: Books) -> Recomputed:
    key = ("reporting_date", "provider")
    rows: list[Row] = []
    for values, group in grouped(books.rows, lambda row: tuple(row[name] for name in key)).items():
        lags = [milliseconds(row["recorded_at"]) - milliseconds(row["occurred_at"]) for row in group if row["requests"]]
        rows.append(
            dict(zip(key, values, strict=True))
            | {"requests": len(lags), "early_requests": sum(lag < 0 for lag in lags)}
            | {name: sum(lag > allowed for lag in lags) for name, allowed in LATE.items()}
            | {"greatest_lag_ms": max([0, *lags]), "greatest_skew_ms": max(0, -min(lags, default=0))}
        )
    return Recomputed("late_rows", key, rows)


def _fresh(books: Books) -> Recomputed:
    rows = [
        {
            "provider": provider,
            "first_occurred_at": min(row["occurred_at"] for row in group),
            "last_occurred_at": max(row["occurred_at"] for row in group),
            "last_recorded_at": max(row["recorded_at"] for row in group),
            "days_with_calls": len({row["reporting_date"] for row in group}),
            "requests": sum(row["requests"] for row in group),
        }
        for provider, group in grouped(books.rows, lambda row: row["provider"]).items()
    ]
    return Recomputed("freshness", ("provider",), rows)


def _conflicts(books: Books) -> Recomputed:
    with sqlite3.connect(f"file:{books.home / 'manifest.sqlite'}?mode=ro", uri=True) as manifest:
        noted = dict(manifest.execute("select record_id, event_key from conflicts").fetchall())
    keys = set(noted.values())
    rows = [
        {name: row[name] for name in CONFLICT} | {"is_conflicting": row["record_id"] in noted}
        for row in books.rows
        if row["event_key"] in keys
    ]
    return Recomputed("ledger_conflicts", ("record_id",), rows)
