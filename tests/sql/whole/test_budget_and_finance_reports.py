"""Half a year of a school in one build: budgets, their forecasts, anomalies, FOCUS and invoices against the records."""

import csv
import json
import math
import os
import shutil
import subprocess
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest
from focus_export import MANDATORY, MAY_BE_NULL, exported
from ledgers import llm_cost
from school_year import (
    BUDGETS,
    DISCOUNT,
    FIRST,
    LAST,
    MATCHES,
    PLANTED,
    STATUS_DATE,
    WEEKDAYS,
    Records,
    cost,
    recorded,
    write_invoice,
)

from tracking import CostTracker
from tracking.home import Home
from warehouse.building.build import build
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("school") / "home"


@pytest.fixture(scope="module")
def records(home: Path) -> Records:
    """What was recorded, with a correction made long after its month, and one build of it by the status date."""
    random = Random(7)
    home.mkdir()
    (home / "prices.toml").write_text(DISCOUNT, encoding="utf-8")
    days = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
    with CostTracker(home) as tracker:
        records = [
            recorded(tracker, teacher, day, WEEKDAYS[day.weekday()] * math.exp(random.gauss(0, 0.12)))
            for day in days
            for teacher in range(8)
            if day.weekday() < 5 or teacher < 4
        ]
        partial = recorded(tracker, 0, FIRST, 0.01, id="stream", status="partial")
    seal(Home(home))
    with CostTracker(home) as tracker:
        final = recorded(tracker, 0, FIRST, 0.02, id="stream")
    assert partial.cost_usd < final.cost_usd
    records.append(final)
    (home / "budgets.toml").write_text(BUDGETS, encoding="utf-8")
    (home / "invoices").mkdir()
    write_invoice(home / "invoices" / "august.csv", records)
    build(Home(home), status_date=STATUS_DATE)
    return records


def asked(home: Path, query: str) -> list[tuple[Any, ...]]:
    with open_warehouse(Home(home)) as warehouse:
        return warehouse.execute(query).fetchall()


def test_every_period_of_every_budget_holds_what_was_recorded(home: Path, records: Records) -> None:
    rows = asked(
        home, "select budget_name, period_start, period_end, spent_usd, left_usd, limit_usd from budget_status"
    )
    assert {name for name, *_ in rows} == set(MATCHES)
    for name, start, end, spent, left, limit in rows:
        counted = [
            made
            for made in records
            if MATCHES[name](made) and start <= made.occurred_at.date() <= min(end, STATUS_DATE)
        ]
        assert (spent, left) == (cost(counted), limit - cost(counted)), (name, start)
    covered = defaultdict(int)
    for name, start, end, *_ in rows:
        covered[name] += (min(end, STATUS_DATE) - max(start, FIRST)).days + 1
    whole = (STATUS_DATE - FIRST).days + 1
    # Two entries of one name follow each other; a term is its own dates.
    assert covered == dict.fromkeys(MATCHES, whole) | {"history": (STATUS_DATE - date(2026, 4, 15)).days + 1}


def test_statuses_levels_and_days_of_crossing(home: Path, records: Records) -> None:
    by_day = defaultdict(Decimal)
    for made in records:
        by_day[made.occurred_at.date()] += made.cost_usd or 0
    rows = asked(
        home,
        "select period_start, period_end, status, warn_percent, crossed_on"
        " from budget_status where budget_name = 'school'",
    )
    seen = set()
    for start, end, status, level, crossed_on in rows:
        spent, crossing = Decimal(0), None
        for day in sorted(day for day in by_day if start <= day <= min(end, STATUS_DATE)):
            spent += by_day[day]
            crossing = crossing or (day if spent > 48 else None)
        assert (crossed_on, status == "over") == (crossing, spent > 48)
        assert level == max((level for level in (25, 50, 99) if spent * 100 >= 48 * level), default=None)
        seen.add(status)
    assert seen == {"warn", "over"}
    zero = asked(
        home, "select distinct status, share_spent from budget_status where budget_name = 'north' and limit_usd = 0"
    )
    assert zero == [("over", None)]


def test_a_forecast_is_the_mean_of_the_last_four_same_weekdays(home: Path, records: Records) -> None:
    rows = asked(
        home,
        "select forecast_date, expected_usd, cumulative_usd, low_usd, high_usd from budget_forecast"
        " where budget_name = 'school' order by 1",
    )
    assert [day for day, *_ in rows] == [date(2026, 8, number) for number in range(13, 32)]
    by_day = defaultdict(float)
    for made in records:
        by_day[made.occurred_at.date()] += float(made.cost_usd or 0)
    total = sum(value for day, value in by_day.items() if date(2026, 8, 1) <= day <= STATUS_DATE)
    for day, expected, cumulative, low, high in rows:
        known = [day - timedelta(weeks=weeks) for weeks in range(1, 7) if day - timedelta(weeks=weeks) <= STATUS_DATE][
            :4
        ]
        assert expected == pytest.approx(sum(by_day[other] for other in known) / 4)
        total += expected
        assert cumulative == pytest.approx(total)
        assert low < cumulative < high
    forecast = asked(
        home,
        "select forecast_usd, forecast_crossing_on, crossed_on, limit_usd from budget_status"
        " where budget_name = 'school' and is_current",
    )
    ((final, crossing, crossed_on, limit),) = forecast
    assert final == pytest.approx(total)
    over = [day for day, _, cumulative, *_ in rows if cumulative > limit]
    assert crossing == (over[0] if over and not crossed_on else None)


def test_the_forecast_beats_naive_ones_and_its_interval_holds(home: Path, records: Records) -> None:
    """On spending with weekdays; measured on whole periods that were closed by then."""
    rows = asked(
        home,
        "select budget_name, forecast_method, sum(abs(error_usd)) / sum(actual_usd), avg(is_within::int), count(*)"
        " from forecast_backtest where budget_name in ('school', 'dear model') group by all",
    )
    error = {(name, method): missed for name, method, missed, *_ in rows}
    coverage = [held for _, method, _, held, _ in rows if method == "weekday_mean"]
    for name in ("school", "dear model"):
        assert error[name, "weekday_mean"] < error[name, "mean"] < error[name, "last_value"]
        assert error[name, "weekday_mean"] < 0.05
    assert all(0.7 <= held <= 1 for held in coverage)


def test_planted_anomalies_are_found_with_their_driver_and_nothing_else_is(home: Path, records: Records) -> None:
    rows = asked(
        home,
        "select entity_id, reporting_date, driver, volume_usd + price_usd + mix_usd - (cost_usd - compared_cost_usd)"
        " from cost_anomalies where entity_type = 'user'",
    )
    assert {(user, day): driver for user, day, driver, _ in rows} == PLANTED
    assert all(difference == 0 for *_, difference in rows)
    days = {made.occurred_at.date() for made in records}
    others = asked(home, "select distinct entity_type, reporting_date from cost_anomalies where entity_type <> 'user'")
    # An assignment of the teacher's, and at most her model: no other day.
    assert {day for _, day in others} <= {day for _, day in PLANTED}
    assert len(days) == 182


def test_focus_has_every_mandatory_column_and_sums_to_the_records(home: Path, records: Records, tmp_path: Path) -> None:
    with exported(home, tmp_path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0].keys() >= MANDATORY
    for column in MANDATORY - MAY_BE_NULL:
        assert all(row[column] for row in rows), column
    assert sum(Decimal(row["BilledCost"]) for row in rows) == cost(records)
    assert sum(Decimal(row["ConsumedQuantity"]) for row in rows) == sum(made.token_count or 0 for made in records)
    assert {row["ConsumedUnit"] for row in rows} == {"Tokens"}
    assert all(row["SkuId"] for row in rows)
    assert {row["ChargePeriodStart"] for row in rows} == {f"{made.occurred_at:%Y-%m-%dT00:00:00Z}" for made in records}


def test_focus_lists_what_it_would_have_cost_without_a_discount(home: Path, records: Records) -> None:
    rows = asked(
        home,
        "select SkuId, sum(ListCost), sum(ContractedCost), sum(EffectiveCost), sum(BilledCost)"
        " from focus_cost_and_usage group by all",
    )
    for llm, listed, *paid in rows:
        mine = [made for made in records if made.llm == llm]
        assert paid == [cost(mine)] * 3
        assert listed == (cost(mine) / Decimal("0.8") if llm == "gpt-4o-mini" else cost(mine))


def test_focus_calls_only_a_correction_after_its_month_one(home: Path, records: Records) -> None:
    rows = asked(
        home,
        "select ChargePeriodStart::date, BillingPeriodStart::date > ChargePeriodStart::date, x_Requests"
        " from focus_cost_and_usage where ChargeClass = 'Correction'",
    )
    assert rows == [(FIRST, True, 0)]


def test_the_public_validator_of_focus_1_2_finds_nothing_but_what_it_cannot_know(
    home: Path, records: Records, tmp_path: Path
) -> None:
    validator = os.environ.get("FOCUS_VALIDATOR") or shutil.which("focus-validator")
    if not validator:
        pytest.skip("focus-validator is not installed, and FOCUS_VALIDATOR names none: it needs its own environment")
    file, report = tmp_path / "focus.parquet", tmp_path / "report.xml"
    with duckdb.connect(Home(home).warehouse_database, read_only=True) as shell:
        shell.execute(f"copy (select * from focus_cost_and_usage) to '{file}' (format parquet)")
    # It looks for its list of currencies below the folder it is called in.
    (installed,) = Path(validator).parents[1].glob("lib/python*/site-packages")
    command = [validator, "--data-file", file, "--validate-version", "1.2", "--block-download"]
    done = subprocess.run(
        [*command, "--output-type", "unittest", "--output-destination", report],
        capture_output=True,
        text=True,
        cwd=installed,
    )
    assert report.exists(), done.stderr[-2000:]
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert len(cases) > 100
    failed = [case.get("name", "").split(" ")[0] for case in cases if case.find("failure") is not None]
    assert failed == ["InvoiceId-C-005-C"], "it takes every charge for one that an invoice was issued for"


def test_the_residual_of_an_invoice_is_split_exactly(home: Path, records: Records) -> None:
    parts = "missing_usd, quantity_usd, price_usd, rounding_usd, unexplained_usd"
    rows = asked(
        home,
        f"select provider, llm, invoiced_days, invoiced_usd, cost_usd, residual_usd, {parts}"
        " from invoice_reconciliation",
    )
    found = {(provider, llm): row for provider, llm, *row in rows}
    assert set(found) == {("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("openai", "web search"), ("mistral", None)}
    for days, invoiced, recorded_usd, residual, *split in found.values():
        assert residual == (invoiced or 0) - (recorded_usd or 0) == sum(split)
        assert days in (20, 30)
    cent = Decimal("0.005")
    days, _, recorded_usd, residual, missing, quantity, price, rounding, unexplained = found["openai", "gpt-4o"]
    mine = [m for m in records if m.llm == "gpt-4o" and date(2026, 8, 1) <= m.occurred_at.date() < date(2026, 8, 21)]
    assert recorded_usd == cost(mine)
    expected = cost(mine) * 1_000_000 / sum(m.token_count or 0 for m in mine)
    assert abs(quantity - expected) <= Decimal("1e-12")
    assert (missing, price, unexplained) == (0, 0, 0)
    assert abs(rounding) <= cent
    _, _, recorded_usd, _, missing, quantity, price, rounding, _ = found["openai", "gpt-4o-mini"]
    assert abs(price - recorded_usd / 10) <= cent
    assert (missing, quantity, rounding) == (0, 0, 0)
    assert found["openai", "web search"][4:] == [Decimal("3.10"), 0, 0, 0, 0]
    assert found["mistral", None][4:] == [7, 0, 0, 0, 0]


def test_the_command_shows_budgets_on_the_status_date_and_tells_a_script_that_one_is_over(
    home: Path, records: Records
) -> None:
    shown = llm_cost("budget", "--home", home)
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "Budgets at the end of 2026-08-12" in shown.stdout
    listed = llm_cost("budget", "--home", home, "--json")
    assert listed.returncode == 1
    current = {row["budget_name"]: row for row in json.loads(listed.stdout)}
    assert set(current) == set(MATCHES)
    assert current["north"]["status"] == "over"
    history = [made for made in records if MATCHES["history"](made)]
    spent = cost(made for made in history if date(2026, 4, 15) <= made.occurred_at.date() <= STATUS_DATE)
    assert Decimal(current["history"]["spent_usd"]) == spent


def test_months_are_listed_in_their_order_and_bars_over_their_limit_are_red(
    home: Path, records: Records, tmp_path: Path
) -> None:
    rows = json.loads(llm_cost("top", "months", "--home", home, "--json").stdout)
    assert [row["reporting_month"] for row in rows] == [f"2026-{month:02}-01" for month in range(8, 2, -1)]
    costs = [Decimal(row["cost_usd"]) for row in rows]
    assert costs != sorted(costs, reverse=True)
    assert llm_cost("report", tmp_path / "page.html", "--home", home).returncode == 0
    page = (tmp_path / "page.html").read_text("utf-8")
    red = page.count('<span class="bar over">')
    assert red == page.count('<td class="status over">over</td>') > 0
    assert ".bar.over i { background: var(--bad); }" in page
