"""A home of earlier versions, with rows that today's doors refuse: one row spoils no report, and silences no alert."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ledgers import NOON, llm_cost, record, record_month

from dagster_project.lib.dbt_manifest import prepared_manifest
from tracking import ArgumentError, CostTracker
from tracking.home import Home
from warehouse.alerts.breaches import find_breaches
from warehouse.building.build import build, prepare
from warehouse.building.up_to_date import inputs_of, is_published
from warehouse.html_report import write_report
from warehouse.html_report.figures import read_figures
from warehouse.integrity.verify import verify
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.schema import USAGE_SCHEMA
from warehouse.ledger.segment_names import ByteRange
from warehouse.ledger.segments import write_segments
from warehouse.locks import building
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.published.proof import prove
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal
from warehouse.sources.scenarios import priced_calls

TODAY = date(2026, 11, 20)
BUDGETS = """
[[budget]]
name = "history"
scope = "tag"
value = "subject=history"
period = "month"
limit_usd = "0.000001"

[[budget]]
name = "everything"
scope = "all"
period = "month"
limit_usd = "0.000001"

[[budget]]
name = "teacher"
scope = "user"
value = "teacher-1"
period = "month"
limit_usd = "0.000001"
"""
LONG_AGO, FUTURE, END = (
    datetime(1, 1, 1, 1, tzinfo=UTC),
    datetime(2027, 3, 1, 12, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)
WRONG: list[dict[str, Any]] = [
    {"tags": '{"subject": "\\ud800"}'},
    {"tags": '{"\\udfff": "x", "subject": "history"}'},
    {"tags": '{"subject": "history", "subject": "maths"}'},
    {"tags": "[1]"},
    {"tags": "no JSON"},
    {"tags": '{"a":' * 974 + "1" + "}" * 974},
    {"other_units": '{"audio_seconds": "\\ud800"}'},
    {"other_units": "no JSON"},
    {"price_context": "[" * 3000},
    {"price_assumptions": "no JSON"},
    {"user_id": "a\x00b\x1b[31m"},
    {"recorded_at": END},
    {"occurred_at": LONG_AGO},
    {"occurred_at": FUTURE},
    {"occurred_at": END},
]


def seal_as_it_is(home: Home, rows: list[dict[str, Any]]) -> None:
    """Rows straight into segments, past every door."""
    typed = [
        dict.fromkeys(USAGE_SCHEMA)
        | row
        | {"record_id": f"{number:032x}", "event_key": None, "prompt": None, "usage_date": row["occurred_at"].date()}
        for number, row in enumerate(rows)
    ]
    byte_range = ByteRange("old-1-aaa.log", 0, 9)
    frame = pl.DataFrame(typed, schema={**USAGE_SCHEMA, "prompt": pl.String})
    with Manifest(home) as manifest:
        manifest.commit_seal(byte_range, write_segments(home, frame, byte_range), [], [], [])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("wrong") / "home")
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        record_month(tracker, 20)
        good = record(tracker, tags={"subject": "history"}).model_dump(exclude={"prompt"})
    seal(home)
    seal_as_it_is(home, [good | wrong for wrong in WRONG])
    home.budgets_toml.write_text(BUDGETS)
    # So that the first day of the calendar is the year before it.
    home.ledger_toml.write_text(home.ledger_toml.read_text().replace('"UTC"', '"America/New_York"'))
    build(home, today=TODAY)
    return home


def test_every_report_is_built_and_sums_to_the_ledger(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        proofs = prove(warehouse)
        [(rows,)] = warehouse.execute("select count(*) from fct_usage").fetchall()
        [(dates,)] = warehouse.execute("select count(*) from dim_date").fetchall()
        [(covered,)] = warehouse.execute("select max(dates_covered) from usage_by_hour").fetchall()
    assert rows == 21 + len(WRONG)
    assert proofs
    assert all(proof.holds for proof in proofs)
    assert dates < 2 * 366 + 3
    assert covered < 5


def test_budgets_stand_as_at_the_last_day_that_has_come(home: Home) -> None:
    """A row dated 2027 left every budget at 0 %, and no alert was sent."""
    with open_warehouse(home) as warehouse:
        found = warehouse.execute(
            "select budget_name, status_date, status, requests from budget_status where is_current order by 1"
        ).fetchall()
    last = date(2026, 11, 7)
    # Of history are the good one, the one with half a pair beside it, and the one said twice.
    assert [row[:3] for row in found] == [
        ("everything", last, "over"),
        ("history", last, "over"),
        ("teacher", last, "over"),
    ]
    assert {name: requests for name, _, _, requests in found}["history"] == 9
    titles = [breach.title for breach in find_breaches(home)]
    assert [title.split(" is over")[0] for title in titles if title.startswith("budget")] == [
        "budget everything",
        "budget history",
        "budget teacher",
    ]


def test_a_list_of_periods_says_which_are_not_over(home: Home) -> None:
    told = "Not over yet: the month of 2026-11-01, 2027-03-01, 9999-12-01."
    assert told in " ".join(llm_cost("top", "months", "--home", home.root).stdout.split())
    assert "Not over yet" not in llm_cost("top", "months", "--home", home.root, "--json").stdout


def test_calls_of_the_future_are_an_alert_and_a_check_in_dagster(home: Home) -> None:
    [told] = [breach for breach in find_breaches(home) if breach.kind.value == "clock"]
    assert told.title == "calls are dated 2 dates from 2027-03-01 to 9999-12-31, which is later than today"
    results = json.loads((home.dbt / "target" / "run_results.json").read_bytes())["results"]
    [check] = [result for result in results if "assert_no_call_is_of_the_future" in result["unique_id"]]
    assert (check["status"], check["failures"]) == ("warn", 3)
    test = prepared_manifest(home)["nodes"][check["unique_id"]]
    # One model alone: so it is shown as a check of that asset.
    assert test["depends_on"]["nodes"] == ["model.llm_costs.cost_per_day"]


def test_a_status_date_later_than_today_is_refused(home: Home) -> None:
    with pytest.raises(ArgumentError, match=r"status_date \(2026-11-21\) is later than today \(2026-11-20\)"):
        build(home, status_date=date(2026, 11, 21), today=TODAY)
    done = llm_cost("build", "--home", home.root, "--status-date", "9999-12-31")
    assert (done.returncode, done.stdout) == (2, "")
    assert "status_date (9999-12-31) is later than today" in done.stderr


def test_reports_are_stale_once_such_a_row_has_had_its_day(home: Home) -> None:
    assert build(home, today=TODAY).dbt is None
    assert build(home, today=date(2027, 2, 28)).dbt is None
    with building(home):
        prepare(home)
        assert is_published(home, inputs_of(home), date(2027, 2, 28))
        assert not is_published(home, inputs_of(home), FUTURE.date())


@pytest.mark.parametrize("bounds", [(), (date.min, date.max), (date(2026, 11, 2), date.max), (date.min, NOON.date())])
def test_the_page_is_written(home: Home, tmp_path: Path, bounds: tuple[date, ...]) -> None:
    figures = write_report(home, tmp_path / "page.html", *bounds)
    if not bounds:
        assert (figures.period.first, figures.period.last) == (NOON.date(), date(2026, 11, 7))
    assert figures.quality["later"] == 2
    assert len(figures.course) < 400


def test_a_page_of_nothing_but_the_future_is_written_where_it_is_asked_for(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        assert read_figures(warehouse, None, None, date(1999, 1, 1)).period.first == date(2026, 11, 2)
        assert read_figures(warehouse, date(2026, 12, 1), None, TODAY).period.last == END.date()


def test_what_calls_would_have_cost_leaves_out_what_cannot_be_read(home: Home) -> None:
    rows = pl.read_parquet(list(home.usage.rglob("*.parquet")), hive_partitioning=False, schema=USAGE_SCHEMA)
    priced = priced_calls(rows, "America/New_York")
    wrong = rows.filter(pl.col("record_id").str.starts_with("0" * 20))
    assert wrong.height == len(WRONG)
    left_out = set(wrong["record_id"]) - set(priced["record_id"])
    assert {WRONG[int(record_id, 16)].popitem()[0] for record_id in left_out} == {
        "other_units",
        "price_context",
        "occurred_at",
    }


def test_commands_print_export_and_verify(home: Home, tmp_path: Path) -> None:
    for command in (["top", "days"], ["top", "users", "--json"], ["budget", "--json"]):
        done = llm_cost(*command, "--home", home.root)
        assert done.returncode in (0, 1), done.stderr
        assert done.stdout
        assert "Traceback" not in done.stderr
    for option, file in (("--csv", "rows.csv"), ("--parquet", "rows.parquet")):
        done = llm_cost("sql", "from fct_usage", option, tmp_path / file, "--home", home.root)
        assert done.returncode == 0, done.stderr
    assert verify(home).problems == []


def test_a_person_is_erased_and_every_total_stays(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        before = warehouse.execute("select sum(requests), sum(cost_usd) from cost_per_user").fetchall()
    report = erase(home, Person("teacher-1"))
    assert report.proven, report
    with open_warehouse(home) as warehouse:
        assert warehouse.execute("select sum(requests), sum(cost_usd) from cost_per_user").fetchall() == before
        assert warehouse.execute("select * from cost_per_user where user_id = 'teacher-1'").fetchall() == []
    assert before[0][1] > Decimal(0)
