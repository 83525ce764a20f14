"""Who uses what, when, and how large calls are."""

from collections.abc import Iterable
from datetime import date, timedelta

from tests.audit.compare import Recomputed
from tests.audit.rows import WEEKDAYS, Books, Row, grouped, measures, share, start_of, total, with_shares

SHARES = {"share_of_requests": "requests", "share_of_tokens": "token_count", "share_of_cost": "cost_usd"}
SIZES = ("prompt_chars", "input_tokens", "output_tokens")


def recomputed(books: Books) -> Iterable[Recomputed]:
    yield _mix(books)
    yield _hours(books)
    yield _active(books)
    yield _concentration(books)
    yield _sizes(books)


def _mix(books: Books) -> Recomputed:
    key = ("reporting_month", "request_type")
    groups = grouped(books.rows, lambda row: (start_of("month", row["reporting_date"]), row["request_type"]))
    rows = [dict(zip(key, values, strict=True)) | measures(group) for values, group in groups.items()]
    return Recomputed("request_type_mix", key, with_shares(rows, lambda row: row["reporting_month"], **SHARES))


def _hours(books: Books) -> Recomputed:
    days = {row["reporting_date"] for row in books.rows}
    come = [day for day in days if books.has_come(day)]
    covered = days | set(_every_day(min(come), max(come)))
    groups = grouped(books.rows, lambda row: (row["reporting_date"].isoweekday(), row["reporting_hour"]))
    rows: list[Row] = []
    for weekday in {day.isoweekday() for day in covered}:
        for hour in range(24):
            sums = measures(groups.get((weekday, hour), []))
            rows.append(
                {
                    "iso_weekday": weekday,
                    "weekday_name": WEEKDAYS[weekday - 1],
                    "reporting_hour": hour,
                    "dates_covered": sum(day.isoweekday() == weekday for day in covered),
                }
                | {name: (value or 0) if name.endswith("requests") else value for name, value in sums.items()}
            )
    return Recomputed("usage_by_hour", ("iso_weekday", "reporting_hour"), rows)


def _active(books: Books) -> Recomputed:
    """Each window is counted by itself, day by day."""
    active = {
        day: {(row["user_id"], row["tenant"]) for row in group}
        for day, group in grouped(books.calls, lambda row: row["reporting_date"]).items()
        if books.has_come(day)
    }
    seen: set[tuple[str, str | None]] = set()
    rows: list[Row] = []
    for day in _every_day(min(active), max(active)):
        today = active.get(day, set())

        def within(days: int, last: date = day) -> int:
            return len(set().union(*(active.get(last - timedelta(days=ago), set()) for ago in range(days))))

        rows.append(
            {
                "reporting_date": day,
                "active_users": len(today),
                "new_users": len(today - seen),
                "returning_users": len(today & seen),
                "active_users_7_days": within(7),
                "active_users_30_days": within(30),
            }
        )
        seen |= today
    return Recomputed("active_users_daily", ("reporting_date",), rows)


def _every_day(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _concentration(books: Books) -> Recomputed:
    rows: list[Row] = []
    for month, of_month in grouped(books.rows, lambda row: start_of("month", row["reporting_date"])).items():
        users = [
            (total(row["cost_usd"] for row in group) or 0, sum(row["requests"] for row in group), *user)
            for user, group in grouped(of_month, lambda row: (row["user_id"], row["tenant"])).items()
        ]
        users.sort(key=lambda user: (-user[0], -user[1], user[2], user[3] is None, user[3] or ""))
        for percent in (1, 5, 10, 20, 50, 100):
            top = users[: -(-len(users) * percent // 100)]
            cost = total(user[0] for user in top)
            rows.append(
                {
                    "reporting_month": month,
                    "top_percent": percent,
                    "monthly_users": len(users),
                    "top_users": len(top),
                    "top_requests": sum(user[1] for user in top),
                    "top_cost_usd": cost,
                    "share_of_cost": share(cost, total(user[0] for user in users)),
                }
            )
    return Recomputed("usage_concentration", ("reporting_month", "top_percent"), rows)


def _sizes(books: Books) -> Recomputed:
    """Each call counts with what it stands at: a stream that was completed later is as long as it became."""
    sizes: list[Row] = []
    for call in books.calls:
        corrections = books.corrections.get(call["record_id"], [])
        for measure in SIZES:
            later = [] if measure == "prompt_chars" else [row[measure] for row in corrections]
            size = total([call[measure], *later])
            if size is not None:
                sizes.append(call | {"measure": measure, "size": size, "digits": max(size, 0).bit_length()})
    key = ("measure", "request_type", "provider", "llm", "digits")
    rows = [
        dict(zip(key[:-1], values, strict=False))
        | {
            "size_from": 2 ** (values[-1] - 1) if values[-1] else 0,
            "size_to": 2 ** values[-1] - 1,
            "requests": len(group),
            "total_size": sum(row["size"] for row in group),
        }
        for values, group in grouped(sizes, lambda row: tuple(row[name] for name in key)).items()
    ]
    return Recomputed("size_distribution", (*key[:-1], "size_from"), rows)
