"""The command line `llm-cost`: what it prints, where, and its exit code."""

import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from commands import WHO, as_json, assert_one_complaint
from ledgers import body, llm_cost, llm_cost_process, record, recorded_by_an_earlier_version, visible

import warehouse
from tracking import CostTracker, LLMUsageRecord
from tracking.home import Home
from warehouse.cli import app
from warehouse.cli.demo import _claim

COMMANDS = sorted(typer.main.get_command(app).list_commands(None))
ODD_USERS = ("[bold]ann[/bold]", "\\[bold]bob", "dave :smile: [/]", "e" * 300)
ODD_USER_OF_EARLIER = "carol\x1b[31m\x07\nred"
"""Refused by `record()` today; old ledgers have such ids."""
CUTS = {
    "users": "user_id",
    "assignments": "assignment_id",
    "trackables": "trackable_id",
    "days": "reporting_date",
    "quarters": "reporting_quarter",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("command") / "home"


@pytest.fixture(scope="module")
def records(home: Path) -> list[LLMUsageRecord]:
    """Calls of users with odd ids, one of them unpriced; built by the command itself."""
    with CostTracker(home, on_unknown_model="record") as tracker:
        made = [record(tracker, body(10**number), user=user, assignment=user) for number, user in enumerate(ODD_USERS)]
        made.append(record(tracker, body(7, model="school-own-grader"), user="frank", assignment="frank"))
    made.append(recorded_by_an_earlier_version(home, ODD_USER_OF_EARLIER))
    built = llm_cost("build", "--home", home)
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    assert f"Sealed {len(made)} new rows" in built.stdout
    assert f"Published {home}/warehouse.duckdb" in built.stdout
    return made


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    helped = llm_cost(command, "--help", COLUMNS="100")
    assert helped.returncode == 0
    assert f"Example: llm-cost {command}" in helped.stdout
    said = helped.stdout.partition("╭")[0].splitlines()
    within_paragraphs = [(line, after.split()[0]) for line, after in pairwise(said) if line.strip() and after.strip()]
    assert all(len(f"{line.rstrip()} {word}") > 99 for line, word in within_paragraphs), "lines are filled"


def test_the_command_itself_lists_every_command() -> None:
    helped = llm_cost("--help", COLUMNS="100")
    assert helped.returncode == 0
    assert all(command in helped.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["top"], ["top", "nobody"], ["sql"], ["import"], ["seal", "--nope"]]
)
def test_a_misused_command_exits_2(arguments: Sequence[str]) -> None:
    refused = llm_cost(*arguments)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "Traceback" not in refused.stderr


def test_the_installed_script_is_this_command() -> None:
    script = Path(sys.executable).with_name("llm-cost")
    assert subprocess.run([script, "seal", "--help"], capture_output=True, check=True).stdout


def test_a_setting_that_is_none_is_named_with_its_value(tmp_path: Path) -> None:
    refused = llm_cost("seal", LLM_COST_HOME=str(tmp_path / "home"), LLM_COST_DURABILITY="maybe")
    assert_one_complaint(refused, 2, "durability", "'maybe'")


def test_without_a_warehouse_reading_says_what_to_run(tmp_path: Path) -> None:
    for command in (["top", "users"], ["sql", "select 1"]):
        refused = llm_cost(*command, "--home", tmp_path / "nowhere")
        assert_one_complaint(refused, 2, str(tmp_path / "nowhere"), "llm-cost build")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("cut", CUTS)
def test_top_ranks_each_cut_by_cost_and_loses_nothing(home: Path, records: list[LLMUsageRecord], cut: str) -> None:
    rows = as_json(llm_cost("top", cut, "--home", home, "--json"))
    assert CUTS[cut] in rows[0]
    assert all(isinstance(row["cost_usd"], str | None) for row in rows)
    costs = [Decimal(row["cost_usd"]) for row in rows if row["cost_usd"] is not None]
    assert costs == sorted(costs, reverse=True)
    assert sum(costs) == sum(made.cost_usd for made in records if made.cost_usd is not None)
    assert sum(row["requests"] for row in rows) == len(records)
    # What has no known cost comes last, and is not zero.
    of_time = cut in {"days", "quarters"}
    assert [row["cost_usd"] for row in rows].count(None) == (0 if of_time else 1)
    assert of_time or rows[-1]["cost_usd"] is None


def test_top_shows_as_many_as_wanted(home: Path, records: list[LLMUsageRecord]) -> None:
    assert len(as_json(llm_cost("top", "users", "--limit", 2, "--home", home, "--json"))) == 2
    assert llm_cost("top", "users", "--limit", 0, "--home", home).returncode == 2


def test_ids_are_printed_as_they_are_and_harmless(home: Path, records: list[LLMUsageRecord]) -> None:
    """Markup is shown, not obeyed; what would move the cursor is replaced; nothing is cut off in a pipe."""
    shown = llm_cost("top", "users", "--home", home)
    assert shown.returncode == 0
    for text in ("[bold]ann[/bold]", "\\[bold]bob", "carol�[31m��red", "dave :smile: [/]", "e" * 300):
        assert text in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "\x07" not in shown.stdout
    named = {row["user_id"] for row in as_json(llm_cost("top", "users", "--home", home, "--json"))}
    assert named == {*ODD_USERS, ODD_USER_OF_EARLIER, "frank"}


def test_no_digit_is_cut_off_in_a_narrow_pipe(home: Path, records: list[LLMUsageRecord]) -> None:
    shown = llm_cost("top", "users", "--home", home, COLUMNS="20")
    for made in records:
        if made.cost_usd is not None:
            assert f"{made.cost_usd:,f}" in shown.stdout
    assert "…" not in shown.stdout
    frank = next(line for line in shown.stdout.splitlines() if "frank" in line)
    assert frank.rstrip(" │").endswith("–")


def test_sql_prints_every_value_as_json_that_parses(home: Path, records: list[LLMUsageRecord]) -> None:
    cost, big = "0.000000000001", 2**127 - 1
    query = f"select {cost}::decimal(18,12) as d, date '2026-11-02' as day, null as n, {big}::hugeint as h, true as b"
    (row,) = as_json(llm_cost("sql", query, "--home", home, "--json"))
    assert row == {"d": cost, "day": "2026-11-02", "n": None, "h": big, "b": True}


def test_sql_sees_the_published_tables_and_instants_in_utc(home: Path, records: list[LLMUsageRecord]) -> None:
    rows = as_json(
        llm_cost_process(
            "sql", "select record_id, occurred_at, cost_usd from fct_usage", "--home", home, "--json", TZ="Asia/Tokyo"
        )
    )
    found = {row["record_id"]: (row["occurred_at"], row["cost_usd"]) for row in rows}
    expected = {
        made.record_id: (made.occurred_at.isoformat(), None if made.cost_usd is None else f"{made.cost_usd:f}")
        for made in records
    }
    assert found == expected


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("select * from nothing", "nothing"),
        ("selec 1", "syntax error"),
        ("", "holds 0 statements"),
        ("create table mine as select 1", "read-only"),
        ("drop table cost_per_day", "read-only"),
        ("update cost_per_day set cost_usd = 0", "read-only"),
        ("insert into ledger.segments select * from ledger.segments", "read-only"),
    ],
)
def test_sql_refuses_in_one_line_and_never_writes(
    home: Path, records: list[LLMUsageRecord], query: str, named: str
) -> None:
    before = (home / "warehouse.duckdb").read_bytes()
    assert_one_complaint(llm_cost("sql", query, "--home", home), 2, named)
    assert (home / "warehouse.duckdb").read_bytes() == before


def test_seal_says_what_it_did_and_again_that_there_was_nothing(tmp_path: Path, calls: Path) -> None:
    home = tmp_path / "home"
    llm_cost("import", calls, *WHO, "--home", home)
    assert llm_cost("seal", "--home", home).stdout == "Sealed 3 new rows in 1 segments\n"
    assert llm_cost("import", calls, *WHO, "--home", home).returncode == 0
    assert llm_cost("seal", "--home", home).stdout == "Sealed 0 new rows in 0 segments, 3 known already\n"
    assert len(visible(home)) == 3


def test_the_demo_plays_builds_and_proves_and_again_adds_nothing(tmp_path: Path) -> None:
    played = llm_cost("demo", "--calls", 400, "--home", "demo", cwd=tmp_path)
    assert played.returncode == 0, played.stderr
    assert "Recorded 400 calls" in played.stdout
    assert "DIFFERENT" not in played.stdout
    assert played.stdout.count("equal") >= 5
    assert "The same as a page: demo.html" in played.stdout
    assert (tmp_path / "demo.html").read_text("utf-8").lower().lstrip().startswith("<!doctype html>")
    rows = visible(tmp_path / "demo")
    assert sum(row["charge_class"] == "usage" for row in rows) <= 400
    total = sum(row["cost_usd"] for row in rows if row["cost_usd"] is not None)
    assert f"{total:,f}" in played.stdout
    assert not (tmp_path / "llm-cost-data").exists()
    again = llm_cost("demo", "--calls", 400, "--home", "demo", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert visible(tmp_path / "demo") == rows


def test_the_demo_takes_a_home_in_which_nothing_was_recorded_yet(tmp_path: Path) -> None:
    Home(tmp_path).open()
    _claim(Home(tmp_path))
    assert (tmp_path / "demo.txt").exists()


def test_the_demo_refuses_a_home_that_holds_a_real_ledger(home: Path, records: list[LLMUsageRecord]) -> None:
    before = len(visible(home))
    assert_one_complaint(llm_cost("demo", "--home", home), 2, str(home), "not a demo's")
    assert len(visible(home)) == before
    assert not (home / "demo.txt").exists()


@pytest.mark.parametrize("port", ["0", "70000", "many"])
def test_ui_refuses_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    refused = llm_cost("ui", "--port", port, "--home", tmp_path / "home")
    assert refused.returncode == 2
    assert "port" in refused.stderr
    assert not (tmp_path / "home").exists()


def test_demo_refuses_no_calls(tmp_path: Path) -> None:
    assert llm_cost("demo", "--calls", 0, "--home", tmp_path / "home").returncode == 2
    assert not (tmp_path / "home").exists()


def test_without_the_extra_the_command_says_what_to_install() -> None:
    """-S: an interpreter that sees the code, and not one installed package."""
    bare = subprocess.run(
        [sys.executable, "-S", "-m", "warehouse", "seal"],
        capture_output=True,
        text=True,
        cwd=Path(warehouse.__file__).parents[1],
    )
    assert_one_complaint(bare, 2, "typer", "duckdb", "pip install 'llm-cost-ledger[warehouse]'")


def test_with_one_package_missing_it_is_the_one_named() -> None:
    code = "import sys; sys.modules['typer'] = None; from warehouse.__main__ import main; main()"
    bare = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert_one_complaint(bare, 2, "typer not installed")
    assert "duckdb" not in bare.stderr
