"""Builds of homes of their own: empty, oddly named, in other time zones, two at once."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from ledgers import body, record
from typer.testing import CliRunner

from tracking import CostTracker, LedgerError, LLMUsageRecord
from tracking.home import Home
from warehouse.building.build import build
from warehouse.cli import app
from warehouse.html_report import write_report
from warehouse.published.proof import prove
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal


def test_a_home_without_a_ledger_is_refused_and_not_made(home: Path) -> None:
    with pytest.raises(LedgerError, match=r"holds no ledger \(ledger.toml is missing\)"):
        build(Home(home))
    assert not home.exists()


def test_an_empty_ledger_builds_and_every_answer_says_that_it_is_empty(home: Path, tmp_path: Path) -> None:
    Home(home).open()
    build(Home(home))
    page = tmp_path / "page.html"
    assert write_report(Home(home), page).total["requests"] == 0
    assert "No call was recorded yet." in page.read_text()
    assert "E-12" not in page.read_text()
    for command, said in (
        (["top", "users"], "No users with calls yet"),
        (["top", "days", "--as-of", "2026-11-01"], "No days with calls by then"),
        (["budget"], "No budget is in force"),
        (["alerts"], "no call was refused"),
        (["verify"], "Clean: 0 segments"),
        (["quarantine", "list"], "0 calls"),
    ):
        done = CliRunner().invoke(app, [*command, "--home", str(home)])
        assert (done.exit_code, said in done.output) == (0, True), done.output
    assert CliRunner().invoke(app, ["top", "users", "--json", "--home", str(home)]).stdout == "[]\n"
    with open_warehouse(Home(home)) as warehouse:
        proofs = prove(warehouse)
        assert warehouse.execute("select count(*) from fct_usage").fetchone() == (0,)
    assert proofs
    assert all(proof.holds and proof.sums["cost_usd"] == 0 for proof in proofs)


def test_nothing_published_yet_is_said_with_what_to_run(home: Path) -> None:
    with (
        pytest.raises(LedgerError, match="no published warehouse yet: run `llm-cost build`"),
        open_warehouse(Home(home)),
    ):
        pass


@pytest.mark.usefixtures("dbt_in_a_process_of_its_own")
def test_a_home_may_be_called_anything_and_stand_beside_a_folder_named_dbt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dbt").mkdir()
    (tmp_path / "dbt" / "__init__.py").write_text("raise SystemExit('this is not dbt-core')")
    monkeypatch.chdir(tmp_path)
    home = Path("it's [a] *home* {x}")
    with CostTracker(home) as tracker:
        made = record(tracker)
    build(Home(home))
    with open_warehouse(Home(home)) as warehouse:
        assert warehouse.execute("select cost_usd from fct_usage").fetchall() == [(made.cost_usd,)]
        assert warehouse.execute("select cost_usd from cost_per_user").fetchall() == [(made.cost_usd,)]


BUILD = (
    "import sys; from tracking.home import Home; from warehouse.building.build import build; build(Home(sys.argv[1]))"
)


def test_two_builds_at_once_both_succeed_and_the_reports_are_right(home: Path) -> None:
    with CostTracker(home) as tracker:
        records = [record(tracker, body(number)) for number in range(1, 30)]
        builds = [
            subprocess.Popen([sys.executable, "-c", BUILD, str(home)], stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        errors = [running.communicate()[1] for running in builds]
    assert ([running.returncode for running in builds], errors) == ([0, 0], ["", ""])
    with open_warehouse(Home(home)) as warehouse:
        found = warehouse.execute("select requests, cost_usd from cost_per_day").fetchall()
        assert all(proof.holds for proof in prove(warehouse))
    assert found == [(len(records), sum(made.cost_usd or Decimal(0) for made in records))]


@pytest.fixture(scope="module")
def around_midnights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, list[LLMUsageRecord]]:
    """Two weeks of calls every 7 hours and 20 minutes, over the end of summer time in Berlin."""
    home = tmp_path_factory.mktemp("zones") / "home"
    start = datetime(2026, 10, 18, 0, 30, tzinfo=UTC)
    with CostTracker(home) as tracker:
        records = [
            record(tracker, body(number + 1), at=start + timedelta(minutes=440 * number)) for number in range(48)
        ]
    seal(Home(home))
    return Home(home), records


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
def test_reports_follow_the_calendar_of_the_ledgers_zone_and_lose_nothing(
    around_midnights: tuple[Home, list[LLMUsageRecord]], zone: str
) -> None:
    """litellm#29568: a day in another zone counted twice, or not at all. Here the zone moves under one ledger, from
    +14:00 to -11:00 to one whose clocks change."""
    home, records = around_midnights
    toml = home.ledger_toml.read_text().splitlines()
    toml = [f'reporting_timezone = "{zone}"' if line.startswith("reporting_timezone") else line for line in toml]
    home.ledger_toml.write_text("\n".join(toml) + "\n")
    build(home)
    expected: Counter[date] = Counter()
    requests: Counter[date] = Counter()
    for made in records:
        day = made.occurred_at.astimezone(ZoneInfo(zone)).date()
        expected[day] += made.token_count or 0
        requests[day] += 1
    with open_warehouse(home) as warehouse:
        rows = warehouse.execute("select reporting_date, token_count, requests from cost_per_day").fetchall()
        assert all(proof.holds for proof in prove(warehouse))
        cost = warehouse.execute("select sum(cost_usd) from cost_per_day").fetchone()
    assert {day: tokens for day, tokens, _ in rows} == dict(expected)
    assert {day: count for day, _, count in rows} == dict(requests)
    assert cost == (sum(made.cost_usd or Decimal(0) for made in records),)
