"""What calls would have cost otherwise, as the table `ledger.what_if_costs`: of corrected calls, and of older code."""

import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from ledgers import record

from tracking import CostCalculator, CostTracker, LLMResponse, Usage
from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.sealing.seal import seal
from warehouse.source_code import ROOT

COUNTS = {
    "gpt-5": {"input_tokens": 100, "output_tokens": 50},
    "gpt-5-mini": {"input_tokens": 400, "output_tokens": 300},
    "gpt-4.1": {"input_tokens": 4000, "cache_read_tokens": 2048, "output_tokens": 10},
    "o3": {"input_tokens": 4000, "output_tokens": 400},
}
BEGUN, ENDED = "priority", "default"
"""The service tiers that the answer named at first, and at its end."""


def answer(model: str, units: dict[str, int], service_tier: str | None) -> LLMResponse:
    usage = Usage(**COUNTS[model], other_units=units)
    return LLMResponse(provider="openai", model=model, usage=usage, id=f"stream-{model}", service_tier=service_tier)


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two streams that were sealed as they broke off; what came later is that they had searched the web twice."""
    home = Home(tmp_path_factory.mktemp("completed") / "home")
    for units, tier, status in (({}, BEGUN, "partial"), ({"web_searches": 2}, ENDED, "ok")):
        with CostTracker(home.root) as tracker:
            for model in COUNTS:
                record(tracker, answer(model, units, tier if model == "o3" else None), status=status)
        seal(home)
    prepare(home)
    return home


def costs(home: Home, llm: str) -> dict[tuple[str, str | None], tuple[int, int, Decimal, Decimal]]:
    """By scenario and other model: requests, those left out, USD, USD otherwise."""
    with duckdb.connect(home.build_database, read_only=True) as connection:
        rows = connection.execute(
            """
            select scenario, what_if_llm, requests, left_out_requests, cost_usd, what_if_cost_usd
            from ledger.what_if_costs
            where llm = ?
            """,
            [llm],
        ).fetchall()
    return {(scenario, other): tuple(values) for scenario, other, *values in rows}


def test_a_stream_completed_with_web_searches_costs_them_on_another_model_too(completed: Home) -> None:
    """It was priced without what its correction added: 0.0035 USD."""
    expected = CostCalculator().cost_of(model="gpt-5", input_tokens=400, output_tokens=300, web_searches=2).usd
    assert expected == Decimal("0.0235")
    requests, left_out, _, what_if = costs(completed, "gpt-5-mini")["other_model", "gpt-5"]
    assert (requests, left_out, what_if) == (1, 0, expected)


def test_the_saving_of_a_completed_stream_compares_the_same_units(completed: Home) -> None:
    """0.0205 USD seemed saved, most of it searches that the cheaper model makes as well."""
    _, _, cost, what_if = costs(completed, "gpt-5")["other_model", "gpt-5-mini"]
    assert cost - what_if == Decimal("0.0005")


@pytest.mark.parametrize(("llm", "scenario"), [*((llm, "batch") for llm in COUNTS), ("gpt-4.1", "uncached")])
def test_a_completed_stream_counts_among_the_savings_on_its_own_model(completed: Home, llm: str, scenario: str) -> None:
    """It did not seem to cost what its own model costs today, and was left out; o3 ended on another tier."""
    requests, left_out, cost, what_if = costs(completed, llm)[scenario, None]
    assert (requests, left_out) == (1, 0)
    searches = Decimal("0.02")
    assert min(cost, what_if) >= searches
    assert cost != what_if


MEND = """
import sys
from pathlib import Path
import tracking, warehouse
from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.database import connect
from warehouse.source_code import code_hash

home, sources = Home(sys.argv[1]), Path(sys.argv[2])
assert Path(tracking.__file__).is_relative_to(sources)


def costs():
    with connect(home.build_database) as connection:
        return connection.execute("from ledger.what_if_costs order by all").fetchall()


def mend(file):
    code_hash.cache_clear()
    with (sources / file).open("a") as opened:
        opened.write("# mended")
    prepare(home)


prepare(home)
right = costs()
with connect(home.build_database) as connection:
    connection.execute("update ledger.what_if_costs set what_if_cost_usd = 1")
wrong = costs()
mend("warehouse/cli/ui.py")
assert costs() == wrong != right, "made anew for nothing"
mend("tracking/pricing/cost_frame.py")
assert costs() == right, "still those of the older code"
"""


def test_stale_what_if_costs_are_made_anew_after_a_change_of_code_they_depend_on(
    completed: Home, tmp_path: Path
) -> None:
    """The hash was of three files named by hand: a fix of how rows are priced left the costs as they were."""
    for package in ("tracking", "warehouse", "sql"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "target"))
    done = subprocess.run(
        [sys.executable, "-c", MEND, completed.root, tmp_path],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
