"""`llm-cost price` and `llm-cost reprice`, as a person calls them."""

import json
import subprocess
from decimal import Decimal
from pathlib import Path

import ledgers
import pytest
from ledgers import body, record

from tracking import CostTracker

RECEIPT = """\
openai gpt-5-mini at 2026-05-01 00:00:00 UTC
  input_tokens       400  × $0.25 / 1,000,000    $0.0001
  cache_read_tokens  800  × $0.025 / 1,000,000  $0.00002
  output_tokens      300  × $2 / 1,000,000       $0.0006
  total $0.00072
"""


def llm_cost(*arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    return ledgers.llm_cost(*arguments, LLM_COST_HOME=str(home), COLUMNS="80")


def test_price_prints_the_receipt(home: Path) -> None:
    usage = ("--input", 1200, "--cached", 800, "--output", 300)
    done = llm_cost("price", "gpt-5-mini", *usage, "--at", "2026-05-01", home=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(RECEIPT)
    assert not home.exists()


def test_price_as_json_holds_exact_decimals(home: Path) -> None:
    done = llm_cost("price", "claude-sonnet-5", "--input", 7, "--unit", "web_searches=2", "--json", home=home)
    receipt = json.loads(done.stdout)
    assert receipt["provider"] == "anthropic"
    assert sum(Decimal(line["amount"]) for line in receipt["lines"]) == Decimal(receipt["usd"])
    assert {line["unit"]: line["quantity"] for line in receipt["lines"]} == {"input_tokens": 7, "web_searches": 2}


def test_a_unit_of_an_unknown_name_is_refused_with_the_nearest(home: Path) -> None:
    for how in (["gpt-4o"], ["--compare"]):
        done = llm_cost("price", *how, "--input", 7, "--unit", "web_search=2", home=home)
        assert done.returncode == 2
        assert "web_search is no count or unit known here; did you mean web_searches?" in done.stderr


def test_compare_ranks_models_by_what_this_usage_would_cost(home: Path) -> None:
    done = llm_cost("price", "--input", 1200, "--output", 300, "--compare", "--limit", 2000, "--json", home=home)
    ranked = json.loads(done.stdout)
    amounts = [Decimal(cost["usd"]) for cost in ranked]
    assert len(amounts) > 1000
    assert amounts == sorted(amounts)
    assert all({line["unit"] for line in cost["lines"]} <= {"input_tokens", "output_tokens"} for cost in ranked[:50])

    shown = llm_cost("price", "--input", 1, "--compare", "--provider", "anthropic", "--limit", 3, home=home).stdout
    assert shown.count("│ anthropic") == 3


def test_a_batch_costs_what_the_batch_variant_says(home: Path) -> None:
    usage = ("price", "claude-sonnet-5", "--input", 1000, "--at", "2026-11-01", "--json")
    standard = json.loads(llm_cost(*usage, home=home).stdout)
    batch = json.loads(llm_cost(*usage, "--tier", "batch", home=home).stdout)
    assert Decimal(batch["usd"]) * 2 == Decimal(standard["usd"])
    assert batch["price_id"] != standard["price_id"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("gpt5-mini", "--input", 1), "openai/gpt-5-mini"),
        (("gpt-5-mini",), "usage is missing"),
        (("--input", 1), "model is missing"),
        (("gpt-5-mini", "--input", 3, "--cached", 5), "cache_read_tokens (5) exceeds input_tokens (3)"),
        (("gpt-5-mini", "--input", -1), "input_tokens (-1) is negative"),
        (("gpt-5-mini", "--unit", "searches"), "'searches'"),
        (("gpt-5-mini", "--input", 1, "--at", "yesterday"), "'yesterday'"),
        (("gpt-5-mini", "--input", 1, "--at", "2026-05-01T10:00"), "time zone"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(home: Path, arguments: tuple[object, ...], named: str) -> None:
    done = llm_cost("price", *arguments, home=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


def test_reprice_says_what_changes_by_model_before_and_after(home: Path) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        record(tracker, body(1000, 100, model="school-own-grader", id="x"))
    rates = "[price.rates]\ninput_mtok = 1\noutput_mtok = 2\n"
    own = f'[[price]]\nprovider = "openai"\nmodel = "school-own-grader"\n{rates}'
    (home / "prices.toml").write_text(own, encoding="utf-8")
    dry = llm_cost("reprice", "--dry-run", home=home)
    assert "1 rows would be corrected; 0 stay unpriced" in dry.stdout
    done = json.loads(llm_cost("reprice", "--json", home=home).stdout)
    assert done["corrections"] == 1
    assert done["models"][0]["difference_usd"] == "0.001200000000"
    assert "0 rows corrected" in llm_cost("reprice", home=home).stdout

    refused = llm_cost("reprice", "--from", "1st of May", home=home)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "'1st of May'" in refused.stderr
