"""The audit tells who knows a model, whose rates differ from ours, and which of that the supplement explains."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.price_audit.compare import Others, audit, report

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
BEFORE = datetime(2026, 8, 1, tzinfo=UTC)
SAMPLE = {
    "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
    "gpt-5.6-sol": {"litellm_provider": "openai", "input_cost_per_token": 5e-06, "output_cost_per_token": 3e-05},
    "sonar": {"litellm_provider": "perplexity", "input_cost_per_token": 1.02e-06, "output_cost_per_token": 1.005e-06},
    "no-price": {"litellm_provider": "openai", "input_cost_per_token": 0},
    "unheard-of": {"litellm_provider": "nobody", "input_cost_per_token": 1e-06},
}


@pytest.fixture
def others(tmp_path: Path) -> Others:
    path = tmp_path / "map.json"
    path.write_text(json.dumps(SAMPLE))
    return Others.read("tokencost", path)


def test_rates_that_differ_by_more_than_a_hundredth_are_told_at_each_instant(others: Others) -> None:
    found = audit([others], [BEFORE, NOON])
    told = {
        at: {(each.model[1], each.rate, each.ours, each.theirs) for each in differences}
        for at, differences in found.differences.items()
    }
    sonar = ("sonar", "input_mtok", Decimal(1), Decimal("1.02"))
    sol = {("gpt-5.6-sol", "input_mtok", 4, 5), ("gpt-5.6-sol", "output_mtok", 20, 30)}
    assert told == {BEFORE: {sonar}, NOON: {sonar, *sol}}
    assert found.equal[BEFORE, "tokencost"] == 5
    assert found.equal[NOON, "tokencost"] == 3


def test_what_the_supplement_decides_is_explained_and_the_rest_is_listed(others: Others) -> None:
    text = report(audit([others], [NOON]))
    assert "1 perplexity than tokencost: genai-prices has the fee of the largest context" in text
    assert "openai/gpt-5.6-sol input_mtok: ours 4, tokencost 5" in text
    assert "perplexity/sonar input_mtok" not in text


def test_coverage_says_by_whom_a_model_is_priced(others: Others) -> None:
    known = audit([others, Others.genai_prices()], [NOON]).known
    assert known["nobody"] == {"tokencost": 1, "by none": 1}
    assert known["perplexity"]["by supplement"] >= 4
    assert known["openai"]["tokencost"] == 2
    assert known["openai"]["by genai-prices"] >= 100
