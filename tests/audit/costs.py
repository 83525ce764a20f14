"""The cuts of cost: one recomputation, and for each cut what its rows are told apart by; and the dimensions."""

import csv
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.audit.compare import Recomputed
from tests.audit.rows import WEEKDAYS, Books, Row, grouped, measures, next_start, start_of
from tests.audit.trees import Trees

Name = tuple[str, str | None]


def recomputed(books: Books) -> Iterable[Recomputed]:
    trees = Trees(books.rows)
    users, assignments = names(books.home / "dimensions/users.csv"), names(books.home / "dimensions/assignments.csv")

    def in_period(period: str) -> Callable[[Row], Any]:
        return lambda row: start_of(period, row["reporting_date"])

    def of_assignment(row: Row) -> str | None:
        return trees.assignment(row)

    def tenant_of_assignment(row: Row) -> str | None:
        return None if trees.assignment(row) is None else row["tenant"]

    day, provider, llm, user, tenant, kind = map(
        _column, ("reporting_date", "provider", "llm", "user_id", "tenant", "request_type")
    )
    of_model = {"provider": provider, "llm": llm}
    of_thing = {
        "trackable_type": lambda row: trees.place(row).root[0],
        "trackable_id": lambda row: trees.place(row).root[1],
        "tenant": tenant,
    }
    spanning: dict[str, dict[str, Callable[[Row], Any]]] = {
        "model": of_model,
        "request_type": {"request_type": kind},
        "trackable": of_thing,
        "user": {
            "user_id": user,
            "tenant": tenant,
            "user_name": lambda row: named(users, row["user_id"], row["tenant"]),
        },
        "assignment": {
            "assignment_id": of_assignment,
            "tenant": tenant_of_assignment,
            "assignment_name": lambda row: named(assignments, of_assignment(row), row["tenant"]),
        },
    }
    others: dict[str, dict[str, Callable[[Row], Any]]] = {
        "day": {"reporting_date": day},
        "week": {"reporting_week": in_period("week")},
        "month": {"reporting_month": in_period("month")},
        "quarter": {"reporting_quarter": in_period("quarter")},
        "user_day": {"user_id": user, "tenant": tenant, "reporting_date": day},
        "assignment_day": {"assignment_id": of_assignment, "tenant": tenant, "reporting_date": day},
        "assignment_user": {"assignment_id": of_assignment, "tenant": tenant, "user_id": user},
        "model_day": of_model | {"reporting_date": day},
        "request_type_day": {"request_type": kind, "reporting_date": day},
        "provider_month": {"provider": provider, "reporting_month": in_period("month")},
    }
    for cut, grain in spanning.items():
        yield _cut(books, f"cost_per_{cut}", grain, with_span=True)
    for cut, grain in others.items():
        yield _cut(books, f"cost_per_{cut}", grain)
    yield _dates(books)
    yield dimension("dim_user", "user", users, grouped(books.rows, lambda row: (row["user_id"], row["tenant"])))
    held = grouped(books.rows, lambda row: (trees.assignment(row), row["tenant"]))
    yield dimension("dim_assignment", "assignment", assignments, {key: held[key] for key in held if key[0] is not None})


def _column(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name]


def _cut(books: Books, relation: str, grain: dict[str, Callable[[Row], Any]], *, with_span: bool = False) -> Recomputed:
    groups = grouped(books.rows, lambda row: tuple(value(row) for value in grain.values()))
    rows = [
        dict(zip(grain, key, strict=True)) | (_span(group) if with_span else {}) | measures(group)
        for key, group in groups.items()
    ]
    return Recomputed(relation, tuple(name for name in grain if not name.endswith("_name")), rows)


def _span(rows: list[Row]) -> Row:
    days = [row["reporting_date"] for row in rows]
    return {"first_reporting_date": min(days, default=None), "last_reporting_date": max(days, default=None)}


def _dates(books: Books) -> Recomputed:
    """Whole years, as long as there are days of our time; days of wrong clocks by themselves."""
    days = {row["reporting_date"] for row in books.rows}
    years = {day.year for day in days if 2000 <= day.year <= 2099}
    first, end = date(min(years), 1, 1), date(max(years) + 1, 1, 1)
    days |= {first + timedelta(days=number) for number in range((end - first).days)}
    return Recomputed("dim_date", ("reporting_date",), [_date(books, day) for day in days])


def _date(books: Books, day: date) -> Row:
    starts = {period: start_of(period, day) for period in ("week", "month", "quarter", "year")}
    ends = {period: next_start(period, starts[period]) for period in ("week", "month", "quarter")}
    return {f"is_whole_{period}": end <= books.today for period, end in ends.items()} | {
        "reporting_date": day,
        "year_number": day.year,
        "quarter_number": (day.month + 2) // 3,
        "month_number": day.month,
        "day_of_month": day.day,
        "reporting_month": starts["month"],
        "reporting_quarter": starts["quarter"],
        "reporting_fiscal_year": starts["year"],
        "reporting_week": starts["week"],
        "iso_weekday": day.isoweekday(),
        "weekday_name": WEEKDAYS[day.weekday()],
        "is_weekend": day.isoweekday() > 5,
        "is_whole_day": day < books.today,
    }


def names(path: Path) -> dict[Name, str]:
    """The names of a file of dimensions; of one thing the last counts."""
    with path.open(encoding="utf-8", newline="") as file:
        return {(line[0], line[2] or None): line[1] for line in list(csv.reader(file))[1:] if line[1]}


def named(known: dict[Name, str], identity: str | None, tenant: str | None) -> str | None:
    if identity is None:
        return None
    return known.get((identity, tenant)) or known.get((identity, None))


def dimension(relation: str, entity: str, known: dict[Name, str], in_ledger: dict[Name, list[Row]]) -> Recomputed:
    """Whoever has calls, and whoever has a name alone: one without a tenant stands for any who have calls."""
    rows = [_member(entity, key, named(known, *key), group) for key, group in in_ledger.items()]
    called = {identity for identity, _ in in_ledger}
    rows += [
        _member(entity, key, name, [])
        for key, name in known.items()
        if key not in in_ledger and not (key[1] is None and key[0] in called)
    ]
    return Recomputed(relation, (f"{entity}_id", "tenant"), rows)


def _member(entity: str, key: Name, name: str | None, rows: list[Row]) -> Row:
    return {f"{entity}_id": key[0], "tenant": key[1], f"{entity}_name": name} | _span(rows)
