"""What a thing costs: its own calls and those of everything that belongs to it, however far below.

A plain walk up the parents, written here, is held against the models over random forests: with circles, parents that
change, calls that name none, and tenants that use the same ids.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import NOON, body, build_marts

from tracking import CostTracker, LLMResponse
from tracking.home import Home
from warehouse.building.dbt import PROJECT, run_command
from warehouse.published.read import open_warehouse

Thing = tuple[str, str]
Row = tuple[str | None, Thing, Thing | None, int]
"""A call: its tenant, what it was made for, the parent it names, and the day on which it was made."""

FIRST = date(2026, 11, 1)
MODELS = ("int_trackable_ancestors", "int_trackable_places", "cost_per_trackable", "cost_per_assignment_day")
CUBE = {
    "tenant": "varchar",
    "trackable_type": "varchar",
    "trackable_id": "varchar",
    "trackable_parent_type": "varchar",
    "trackable_parent_id": "varchar",
    "holder_type": "varchar",
    "holder_id": "varchar",
    "usage_date": "date",
    "reporting_date": "date",
    "last_occurred_at": "timestamptz",
    **dict.fromkeys(("user_id", "request_type", "llm", "provider", "model"), "varchar"),
    **dict.fromkeys(("requests", "failed_requests", "unpriced_requests", "input_tokens", "output_tokens"), "bigint"),
    **dict.fromkeys(("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"), "bigint"),
    **dict.fromkeys(("reasoning_tokens", "token_count", "micro_usd"), "bigint"),
    "cost_usd": "decimal(38, 12)",
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, str]]]:
    """Empty relations that the models of trees read, and the models' own SQL."""
    home = Home(tmp_path_factory.mktemp("compiled") / "home")
    home.open()
    names = [*MODELS, "int_budget_spending"]
    done = run_command(home, ["compile", "--select", *names])
    assert done.returncode == 0, done.stdout
    folder = home.dbt / "target" / "compiled" / "llm_costs"
    queries = {
        name: (folder / next(PROJECT.rglob(f"{name}.sql")).relative_to(PROJECT)).read_text("utf-8") for name in names
    }
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as build; use build")
        connection.execute(f"create table int_cost_daily ({', '.join(f'{n} {t}' for n, t in CUBE.items())})")
        connection.execute("create table int_charges_daily as select *, '{}' as tags from int_cost_daily")
        connection.execute(
            "create table stg_budgets (entry_number bigint, scope varchar, scope_key varchar, scope_value varchar,"
            " tenant varchar)"
        )
        yield connection, queries


things = st.tuples(st.sampled_from(["Assignment", "Course"]), st.sampled_from(["1", "2", "3"]))
calls = st.tuples(st.sampled_from([None, "t"]), things, st.none() | things, st.integers(0, 3))


def walk(rows: list[Row], tenant: str | None, start: Thing, day: int) -> tuple[list[Thing], int]:
    """From what holds a call up to the top on that day, and where in that way the top begins: all of it is a circle."""
    way = [start]
    while True:
        named = [
            (on, number, parent)
            for number, (whose, thing, parent, on) in enumerate(rows)
            if (whose, thing) == (tenant, way[-1]) and parent not in (None, thing)
        ]
        if not named:
            return way, len(way) - 1
        until = [one for one in named if one[0] <= day]
        first = min(on for on, *_ in named)
        *_, parent = max(until or [one for one in named if one[0] == first])
        assert parent is not None
        if parent in way:
            return way, way.index(parent)
        way.append(parent)


@settings(max_examples=60)
@given(rows=st.lists(calls, max_size=12))
def test_every_thing_costs_what_a_walk_up_its_parents_says(
    warehouse: tuple[duckdb.DuckDBPyConnection, dict[str, str]], rows: list[Row]
) -> None:
    connection, queries = warehouse
    roots, assignments, within = Counter[object](), Counter[object](), Counter[object]()
    connection.execute("delete from int_cost_daily; delete from stg_budgets")
    for number, (tenant, thing, parent, day) in enumerate(rows):
        holder, cost, on = parent or thing, 2**number, FIRST + timedelta(days=day)
        at = datetime(on.year, on.month, on.day, tzinfo=UTC) + timedelta(seconds=number)
        values = dict(zip(CUBE, (tenant, *thing, *(parent or (None, None)), *holder, on, on, at), strict=False))
        values |= {"requests": 1, "cost_usd": cost}
        connection.execute(
            f"insert into int_cost_daily by name select {', '.join(f'${n} as {n}' for n in values)}", values
        )
        way, top = walk(rows, tenant, holder, day)
        root = min(way[top:])
        # Above the thing itself, unless the way passes it.
        outer = [one for one in way if one[0] == "Assignment"]
        if any(one[0] == "Assignment" for one in way[top:]):
            assignment = min(one for one in way[top:] if one[0] == "Assignment")
        else:
            assignment = outer[-1] if outer else thing if thing[0] == "Assignment" else None
        roots[*root, tenant] += cost
        assignments[assignment and assignment[1], tenant, on] += cost
        for one in {thing, *way}:
            within[one] += cost
    every = {thing for _, thing, parent, _ in rows} | {parent for *_, parent, _ in rows if parent}
    entries = dict(enumerate(sorted(every)))
    for number, (kind, key) in entries.items():
        connection.execute("insert into stg_budgets values (?, 'trackable', ?, ?, null)", [number, kind, key])
    for model in MODELS:
        connection.execute(f"create or replace table {model} as ({queries[model]})")

    def found(query: str) -> dict[object, Decimal]:
        return {tuple(key): cost for *key, cost in connection.execute(query).fetchall()}

    assert found("select trackable_type, trackable_id, tenant, cost_usd from cost_per_trackable") == roots
    assert found("select assignment_id, tenant, reporting_date, cost_usd from cost_per_assignment_day") == assignments
    spent = found(f"select entry_number, sum(spent_usd) from ({queries['int_budget_spending']}) group by 1")
    assert {entries[number]: cost for (number,), cost in spent.items()} == within


BUDGETS = "".join(
    f"""
    [[budget]]
    name = "{name}"
    scope = "trackable"
    value = "{name}"
    period = "month"
    limit_usd = 100
    """
    for name in ("Assignment/1", "Course/9", "Submission/7")
)


def test_an_assignment_its_budget_and_its_course_cost_what_lies_below_them(tmp_path: Path) -> None:
    """A call for Assignment 1, which belongs to Course 9, and one for its Submission, which was recorded first."""
    home = Home(tmp_path / "home")
    with CostTracker(home.root) as tracker:
        one, other = (
            tracker.record(
                llm_response=LLMResponse.from_provider(body(), provider="openai"),
                user="teacher-1",
                trackable=trackable,
                trackable_parent=parent,
                request_type="grade_student_work",
                prompt="Grade.",
                occurred_at=NOON,
            )
            for trackable, parent in ((("Submission", 7), ("Assignment", 1)), (("Assignment", 1), ("Course", 9)))
        )
    assert one.cost_usd and other.cost_usd
    both = one.cost_usd + other.cost_usd
    (home.root / "budgets.toml").write_text(BUDGETS)
    build_marts(home, "cost_per_assignment", "assignment_unit_economics", "cost_per_trackable", "budget_status")
    with open_warehouse(home) as published:
        costs = {
            "assignment": "select assignment_id, cost_usd from cost_per_assignment",
            "unit economics": "select assignment_id, cost_usd from assignment_unit_economics",
            "course": "select trackable_id, cost_usd from cost_per_trackable",
            "as known since": "select assignment_id, cost_usd from cost_per_assignment_as_of(now())",
        }
        found = {name: published.execute(query).fetchall() for name, query in costs.items()}
        budgets = dict(published.execute("select budget_name, spent_usd from budget_status").fetchall())
    assert found == {name: [("9" if name == "course" else "1", both)] for name in costs}
    assert budgets == {"Assignment/1": both, "Course/9": both, "Submission/7": one.cost_usd}
