"""The reports of a ledger that has just begun: little is known, and nothing of that is made up."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from ledgers import build_marts, llm_cost, record

from tracking import CostTracker, LLMResponse
from tracking.home import Home
from warehouse.published.read import open_warehouse

TEN_USD = LLMResponse.from_provider(
    {"model": "gpt-4o", "usage": {"prompt_tokens": 4_000_000, "completion_tokens": 0, "total_tokens": 4_000_000}},
    provider="openai",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One call of 10 USD on Monday 2 November 2026, and a limit of 100 a month."""
    home = tmp_path_factory.mktemp("new") / "home"
    with CostTracker(home) as tracker:
        call = record(tracker, TEN_USD, at=datetime(2026, 11, 2, 12, tzinfo=UTC))
    assert call.cost_usd == Decimal(10)
    (home / "budgets.toml").write_text('[[budget]]\nname = "all"\nscope = "all"\nperiod = "month"\nlimit_usd = 100\n')
    build_marts(Home(home), "budget_status")
    return home


def test_every_day_to_come_is_expected_to_cost_what_the_one_known_day_did(home: Path) -> None:
    with open_warehouse(Home(home)) as warehouse:
        days = warehouse.execute(
            "select count(*), max(cumulative_usd), count(low_usd), count(high_usd) from budget_forecast"
        ).fetchall()
    assert days == [(28, 290.0, 0, 0)]


def test_the_command_lists_a_budget_whose_forecast_has_no_interval(home: Path) -> None:
    listed = llm_cost("budget", "--home", home)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "~290.00" in listed.stdout
    assert "~2026-11-12" in listed.stdout
