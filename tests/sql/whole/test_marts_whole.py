"""Every mart of the project, whichever they are: sums, rebuilds, days read, time zones, and as it was known before.

The tests follow one another on one home, the demo's with some oddities added, because a build takes seconds.
"""

import json
import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from documents import DOCS, DocumentedQuery, documented_queries
from expected_movers import expected_changes, start_of
from ledgers import NOON, body, llm_cost, record
from mart_tables import Tables, as_of, assert_calendar_is_right, assert_every_cut_is_proven, tables, unreadable
from odd_month import play_odd_month, use_timezone

from tracking import CostTracker
from tracking.home import Home
from warehouse.building.build import build
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal

COOKBOOK = DOCS / "sql-cookbook.md"
LATE_DAY = date(2026, 9, 16)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("marts") / "home")
    play_odd_month(home)
    return home


def test_every_cut_sums_to_the_ledger_fourteen_hours_east(home: Home) -> None:
    use_timezone(home, "Pacific/Kiritimati")
    build(home)
    assert_every_cut_is_proven(home)
    assert_calendar_is_right(home, "Pacific/Kiritimati")


def test_every_cut_sums_to_the_ledger_eleven_hours_west_after_late_rows_and_corrections(home: Home) -> None:
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        record(tracker, body(500, 90, id="stream"), at=NOON)
        record(tracker, body(500, 90, id="stream"), at=NOON)
        record(tracker, body(3, 4), user="late", at=datetime(2026, 8, 31, 23, 59, tzinfo=UTC))
    use_timezone(home, "Pacific/Pago_Pago")
    build(home)
    assert_every_cut_is_proven(home)
    assert_calendar_is_right(home, "Pacific/Pago_Pago")


@pytest.fixture(scope="module")
def closed(home: Home) -> tuple[datetime, Tables]:
    """The books as they were closed: when, and what they showed. A stream is still at its partial answer."""
    with CostTracker(home.root) as tracker:
        record(tracker, body(400, 5, id="slow"), status="partial", at=datetime(2026, 9, 16, 9, tzinfo=UTC))
    use_timezone(home, "Europe/Berlin")
    build(home)
    return datetime.now(UTC), tables(home)


def test_every_cut_sums_to_the_ledger_where_summer_time_ends(home: Home, closed: tuple[datetime, Tables]) -> None:
    assert_every_cut_is_proven(home)
    assert_calendar_is_right(home, "Europe/Berlin")
    with open_warehouse(home) as warehouse:
        longest = "select requests from cost_per_day where reporting_date = '2026-10-25'"
        assert warehouse.execute(longest).fetchone() == (4 * 25,)


def test_a_late_row_and_a_late_correction_read_and_rebuild_their_own_day_alone(
    home: Home, closed: tuple[datetime, Tables]
) -> None:
    _, before = closed
    with CostTracker(home.root) as tracker:
        record(tracker, body(400, 60, id="slow"), at=datetime(2026, 9, 16, 9, tzinfo=UTC))
        record(tracker, body(30, 40), user="late", at=datetime(2026, 9, 16, 10, tzinfo=UTC))
    seal(home)
    with unreadable(home, but=LATE_DAY):
        build(home)
    assert_every_cut_is_proven(home)
    after = tables(home)
    days = dict(enumerate(after["cost_per_day"]))
    changed = [row[0] for row in days.values() if row not in before["cost_per_day"]]
    assert changed == [LATE_DAY]


def test_a_closed_month_shows_what_it_showed_at_its_close(home: Home, closed: tuple[datetime, Tables]) -> None:
    instant, then = closed
    known_then = as_of(home, instant)
    assert known_then.keys() >= {f"cost_per_{cut}" for cut in ("day", "month", "user", "assignment", "assignment_user")}
    assert known_then.keys() == {name for name in then if name.startswith("cost_p")} | {"cost_movers"}
    for name, rows in known_then.items():
        assert rows == then[name], name
    now = tables(home)
    for name, rows in as_of(home, datetime.now(UTC) + timedelta(minutes=1)).items():
        assert rows == now[name], name
    assert now["cost_per_month"] != then["cost_per_month"]


def test_top_ranks_a_cut_as_it_was_known(home: Home, closed: tuple[datetime, Tables]) -> None:
    instant, then = closed
    asked = llm_cost("top", "months", "--as-of", instant.isoformat(), "--home", home.root, "--json")
    assert sum(row["requests"] for row in json.loads(asked.stdout)) == sum(row[1] for row in then["cost_per_month"])
    before = llm_cost("top", "months", "--as-of", "2026-09-01", "--home", home.root, "--json")
    assert json.loads(before.stdout) == []
    refused = llm_cost("top", "months", "--as-of", "yesterday", "--home", home.root)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--as-of ('yesterday') is neither a date nor an instant" in refused.stderr


def test_movers_account_for_every_change_to_the_last_digit(home: Home, closed: tuple[datetime, Tables]) -> None:
    """Of whole days, and the period that is not over against as many days of the one before."""
    with open_warehouse(home) as warehouse:
        days: dict[date, Decimal] = dict(
            warehouse.execute(
                "select reporting_date, coalesce(cost_usd, 0) from cost_per_day join dim_date using (reporting_date)"
                " where is_whole_day"
            ).fetchall()
        )
        [(last, last_with_calls)] = warehouse.execute(
            "select (select max(reporting_date) from dim_date where is_whole_day), max(reporting_date)"
            " from cost_per_day"
        ).fetchall()
        for period in ("week", "month"):
            expected = expected_changes(period, days, last, last_with_calls)
            found = warehouse.execute(
                "select period_start, sum(change_usd), sum(volume_usd) + sum(price_usd) + sum(mix_usd) "
                "from cost_movers where period = ? group by all",
                [period],
            ).fetchall()
            with_calls = {start_of(period, day) for day in days}
            assert {start: change for start, change, _ in found} == {
                start: change for start, change in expected.items() if change or start in with_calls
            }
            assert all(change == effects for _, change, effects in found)


def test_coverage_conflicts_quarantine_and_clocks_are_reported(home: Home, closed: tuple[datetime, Tables]) -> None:
    with open_warehouse(home) as warehouse:

        def ask(query: str) -> list[tuple[Any, ...]]:
            return warehouse.execute(query).fetchall()

        assert ask("select user_id, is_conflicting from ledger_conflicts order by 2") == [
            ("one", False),
            ("another", True),
        ]
        assert ask("select reason, kind, state, calls, acknowledged_calls, estimated_usd from quarantine_summary") == [
            ("checksum does not match", "journal", "waiting", 1, 1, None)
        ]
        assert ask(
            "select early_requests, greatest_skew_ms between 200000 and 300000 from late_rows where early_requests > 0"
        ) == [(1, True)]
        assert ask(
            "select sum(requests) filter (pricing_status = 'unpriced') = sum(unpriced_requests) from pricing_coverage"
        ) == [(True,)]
        assert ask(
            "select count(*) from pricing_coverage where pricing_status = 'priced' and unpriced_requests <> 0"
        ) == [(0,)]
        assert ask("select round(sum(share_of_requests), 9) from pricing_coverage group by reporting_month") == [
            (1.0,)
        ] * len(ask("from cost_per_month"))
        assert ask("select max(last_occurred_at) = (select max(occurred_at) from fct_usage) from freshness") == [
            (True,)
        ]


def test_active_users_are_those_who_called(home: Home, closed: tuple[datetime, Tables]) -> None:
    zone = ZoneInfo("Europe/Berlin")
    with open_warehouse(home) as warehouse:
        calls = warehouse.execute(
            "select distinct occurred_at, user_id, tenant from fct_usage where requests = 1"
        ).fetchall()
        found = warehouse.execute("select * from active_users_daily order by 1").fetchall()
    active = defaultdict(set)
    for occurred_at, *user in calls:
        active[occurred_at.astimezone(zone).date()].add(tuple(user))
    first = min(active)
    seen: set[Any] = set()
    expected = []
    for number in range((max(active) - first).days + 1):
        day = first + timedelta(days=number)

        def within(days: int, day: date = day) -> int:
            return len(set().union(*(active.get(day - timedelta(days=back), set()) for back in range(days))))

        new = active.get(day, set()) - seen
        seen |= new
        expected.append((day, within(1), len(new), within(1) - len(new), within(7), within(30)))
    assert found == expected


def test_sizes_are_those_of_the_calls_as_corrected(home: Home, closed: tuple[datetime, Tables]) -> None:
    with open_warehouse(home) as warehouse:
        wrong = warehouse.execute(
            """
            with calls as (
                select sum(output_tokens) as size
                from fct_usage
                group by coalesce(corrects_record_id, record_id)
                having size is not null
            ),
            counted as (
                select buckets.size_from, count(*) as requests, sum(size) as total_size
                from calls
                join (select distinct size_from, size_to from size_distribution) as buckets
                    on size between buckets.size_from and buckets.size_to
                group by all
            ),
            published as (
                select size_from, sum(requests) as requests, sum(total_size) as total_size
                from size_distribution
                where measure = 'output_tokens'
                group by all
            )
            (from counted except from published) union all (from published except from counted)
            """
        ).fetchall()
        assert wrong == []
        assert warehouse.execute("select count(*) > 5 from size_distribution").fetchone() == (True,)


def test_a_date_is_what_the_calendar_says(home: Home, closed: tuple[datetime, Tables]) -> None:
    with open_warehouse(home) as warehouse:
        rows = warehouse.execute("select * from dim_date order by reporting_date").fetchall()
    assert [row[0] for row in rows] == [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    for day, year, quarter, month, of_month, month_start, quarter_start, year_start, *rest in rows:
        week, weekday, name, weekend, *_ = rest
        assert (quarter_start, year_start) == (day.replace(day=1, month=quarter * 3 - 2), date(day.year, 1, 1))
        assert (year, month, of_month) == (day.year, day.month, day.day)
        assert (quarter, month_start) == ((day.month + 2) // 3, day.replace(day=1))
        assert (week, weekday) == (day - timedelta(days=day.weekday()), day.isoweekday())
        assert (name, weekend) == (f"{day:%A}", day.weekday() > 4)


def test_names_are_shown_and_multiply_nothing(home: Home, closed: tuple[datetime, Tables]) -> None:
    with open_warehouse(home) as warehouse:
        named = warehouse.execute(
            "select count(*), count(user_name) from cost_per_user "
            "where user_id like 'teacher-0%' and tenant <> 'school-a'"
        ).fetchone()
        assert named is not None
        assert named[0] == named[1] > 5
        assert warehouse.execute(
            "select count(*) from dim_model where is_latest and last_reporting_date is not null"
        ).fetchone() == (warehouse.execute("select count(*) from cost_per_model").fetchone())


@pytest.mark.parametrize("query", documented_queries(), ids=lambda query: query.name)
def test_every_query_of_the_documentation_has_an_answer(
    home: Home,
    closed: tuple[datetime, Tables],
    query: DocumentedQuery,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with duckdb.connect(home.warehouse_database, read_only=True) as plain:
        assert plain.execute(query.sql).fetchall()


def test_the_cookbook_asks_something_of_every_family(home: Home, closed: tuple[datetime, Tables]) -> None:
    asked = [query for query in documented_queries() if query.name.startswith("sql-cookbook.md")]
    assert len(asked) == COOKBOOK.read_text(encoding="utf-8").count("### ") >= 40
    words = set(re.findall(r"\w+", " ".join(query.sql for query in asked)))
    families: dict[str, set[str]] = defaultdict(set)
    for node in json.loads((home.dbt / "target" / "manifest.json").read_text())["nodes"].values():
        if node["resource_type"] == "model" and "marts" in node["fqn"]:
            families[node["fqn"][2]].add(node["name"])
    assert len(families) >= 10
    assert [family for family, marts in families.items() if not marts & words] == []


def test_a_full_rebuild_gives_every_mart_row_for_row(home: Home, closed: tuple[datetime, Tables]) -> None:
    incremental = tables(home)
    build(home, full_refresh=True)
    rebuilt = tables(home)
    assert rebuilt.keys() == incremental.keys()
    assert len(rebuilt) >= 30
    for name, rows in rebuilt.items():
        assert rows == incremental[name], name


def test_a_build_with_nothing_new_reads_no_row(home: Home, closed: tuple[datetime, Tables]) -> None:
    before = tables(home)
    with unreadable(home):
        with open_warehouse(home) as warehouse, pytest.raises(duckdb.Error):
            warehouse.execute("select sum(length(record_id)) from fct_usage").fetchall()
        build(home)
    assert tables(home) == before


def test_every_published_relation_and_column_carries_its_description(
    home: Home, closed: tuple[datetime, Tables]
) -> None:
    with duckdb.connect(home.warehouse_database, read_only=True) as plain:
        silent = plain.execute(
            """
            select table_name from duckdb_tables() where comment is null and table_name <> 'usage_columns'
            union all
            select view_name from duckdb_views() where not internal and comment is null
            union all
            select table_name || '.' || column_name
            from duckdb_columns()
            where not internal and comment is null and table_name <> 'usage_columns'
            union all
            select function_name from duckdb_functions() where function_name like '%_as_of' and comment is null
            """
        ).fetchall()
    assert silent == []
