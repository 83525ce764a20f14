"""The audit finds what it is there for: one cell, row or column that differs from what the rows add up to."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from ledgers import body, record, record_month

from tests.audit import costs, outcomes, trees
from tests.audit.compare import Recomputed, compare, report
from tests.audit.rows import Books, Row
from tracking import CostTracker
from tracking.home import Home
from warehouse.sealing.seal import seal

TODAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Calls of a month, among them a stream that was completed after it had been sealed."""
    home = tmp_path_factory.mktemp("audit") / "home"
    with CostTracker(home, on_unknown_model="record") as tracker:
        record_month(tracker)
        record(tracker, body(1000, 10, id="stream"), status="partial")
        seal(Home(home))
        record(tracker, body(1000, 500, id="stream"))
    seal(Home(home))
    (home / "dimensions").mkdir(exist_ok=True)
    for name in ("users.csv", "assignments.csv"):
        (home / "dimensions" / name).write_text("id,name,tenant\n", encoding="utf-8")
    return Books.read(home, "Pacific/Kiritimati", TODAY)


@pytest.fixture(scope="module")
def per_user_day(books: Books) -> Recomputed:
    return next(one for one in costs.recomputed(books) if one.relation == "cost_per_user_day")


def with_change(recomputed: Recomputed, **cells: Any) -> list[Row]:
    """As a build that got one cell wrong would publish it."""
    priced = next(row for row in recomputed.rows if row["cost_usd"])
    return [row | cells if row is priced else row for row in recomputed.rows]


def test_what_is_equal_has_no_difference_and_every_cell_counts(per_user_day: Recomputed) -> None:
    found = compare(per_user_day.rows, per_user_day)
    assert (found.differences, found.cells) == ([], len(per_user_day.rows) * 15)
    assert found.rows > 10


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"cost_usd": Decimal("0.000000000001")}, "cost_usd is Decimal('1E-12')"),
        ({"requests": None}, "requests is None"),
        ({"cache_write_tokens": 0}, "cache_write_tokens is 0, recomputed None"),
        ({"surplus": 1}, "surplus is only published"),
    ],
)
def test_a_cell_that_was_planted_is_found(per_user_day: Recomputed, cells: dict[str, Any], said: str) -> None:
    found = compare(with_change(per_user_day, **cells), per_user_day)
    assert len(found.differences) == 1
    assert said in found.differences[0]
    assert said in report([found], ["cost_per_user_day", "unheard_of"])
    assert "not covered: unheard_of" in report([found], ["cost_per_user_day", "unheard_of"])


def test_a_row_too_few_or_too_many_or_twice_is_found(per_user_day: Recomputed) -> None:
    rows = per_user_day.rows
    assert "only recomputed" in compare(rows[1:], per_user_day).differences[0]
    assert "only published" in compare([*rows, rows[0] | {"user_id": "nobody"}], per_user_day).differences[0]
    assert "more than once" in compare([*rows, rows[0]], per_user_day).differences[0]


def test_a_ratio_may_differ_in_its_last_digits_and_money_may_not() -> None:
    expected = Recomputed("some", ("id",), [{"id": 1, "share": 0.1 + 0.2, "cost_usd": Decimal("0.3")}])
    assert not compare([{"id": 1, "share": 0.3, "cost_usd": Decimal("0.300")}], expected).differences
    assert len(compare([{"id": 1, "share": 0.301, "cost_usd": Decimal("0.300000000001")}], expected).differences) == 2


def test_a_stream_completed_later_is_one_call_that_succeeded(books: Books) -> None:
    errors = next(one for one in outcomes.recomputed(books) if one.relation == "error_rates_daily")
    assert {row["status"] for row in errors.rows} == {"ok", "error"}
    assert sum(row["requests"] for row in errors.rows) == 61
    # By the rows as they lie there it broke off.
    unsettled = compare([row | {"status": "partial"} for row in errors.rows[:1]] + errors.rows[1:], errors)
    assert unsettled.differences


def test_the_trees_of_the_audit_follow_the_rule_of_the_docs() -> None:
    def row(day: int, thing: trees.Thing, holder: trees.Thing) -> Row:
        when = date(2026, 11, day)
        return {"tenant": None, "thing": thing, "holder": holder, "usage_date": when, "occurred_at": when} | {
            "trackable_type": thing[0],
            "trackable_id": thing[1],
        }

    submission, assignment = ("Submission", "s"), ("Assignment", "1")
    rows = [
        row(2, assignment, ("Course", "9")),
        row(1, submission, assignment),
        row(4, assignment, ("Course", "8")),
        row(5, submission, submission),
        row(6, ("Circle", "b"), ("Circle", "a")),
        row(6, ("Circle", "a"), ("Circle", "b")),
    ]
    found = trees.Trees(rows)
    roots = [found.place(one).root for one in rows]
    assert roots == [("Course", id_) for id_ in ("9", "9", "8", "8")] + [("Circle", "a")] * 2
    assert [found.assignment(one) for one in rows[:4]] == ["1"] * 4
    assert found.things(rows[3]) == {submission, assignment, ("Course", "8")}


def test_the_rows_are_those_of_the_manifest(books: Books) -> None:
    assert len(books.rows) == 62
    assert [row["charge_class"] for row in books.rows].count("correction") == 1
    assert sum(row["requests"] for row in books.rows) == 61
