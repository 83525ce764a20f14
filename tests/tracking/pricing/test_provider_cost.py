"""What a provider itself says a call cost is kept beside our amount; a setting says which one counts."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tracking import CostCalculator, CostTracker, LLMResponse, UnknownModelError, Usage

AT = datetime(2026, 5, 1, tzinfo=UTC)
USAGE = Usage(input_tokens=1200, output_tokens=300)
REPORTED = LLMResponse(provider="openai", model="gpt-5-mini", usage=USAGE, provider_cost=Decimal("0.00095"))
UNKNOWN = LLMResponse(provider="openai", model="no-such-model-at-all", usage=USAGE, provider_cost=Decimal("0.002"))


def test_by_default_the_catalogue_counts_and_the_difference_is_shown() -> None:
    cost = CostCalculator().cost(REPORTED, at=AT)
    assert (cost.usd, cost.pricing_status) == (Decimal("0.0009"), "priced")
    assert (cost.provider_usd, cost.difference_usd) == (Decimal("0.00095"), Decimal("0.00005"))
    assert cost.explain().splitlines()[-1] == "  the provider says $0.00095, a difference of $0.00005"


def test_where_the_provider_counts_its_amount_is_the_cost_and_the_price_stays_known() -> None:
    cost = CostCalculator(cost_source="provider").cost(REPORTED, at=AT)
    assert (cost.usd, cost.pricing_status) == (Decimal("0.00095"), "provider_reported")
    assert cost.priced_usd == Decimal("0.0009")
    assert cost.explain().endswith("a difference of $0.00005, which counts")


def test_where_the_provider_counts_but_says_nothing_the_catalogue_does() -> None:
    silent = LLMResponse(provider="openai", model="gpt-5-mini", usage=USAGE)
    cost = CostCalculator(cost_source="provider").cost(silent, at=AT)
    assert (cost.usd, cost.pricing_status, cost.difference_usd) == (Decimal("0.0009"), "priced", None)


def test_a_provider_that_counts_prices_what_no_catalogue_knows() -> None:
    cost = CostCalculator(cost_source="provider").cost(UNKNOWN, at=AT)
    assert (cost.usd, cost.llm, cost.price_id) == (Decimal("0.002"), "no-such-model-at-all", None)
    with pytest.raises(UnknownModelError):
        CostCalculator().cost(UNKNOWN, at=AT)


@pytest.mark.parametrize(
    ("source", "cost_usd", "status"),
    [("catalogue", "0.0009", "priced"), ("provider", "0.00095", "provider_reported")],
)
def test_the_row_keeps_both(
    home: Path, monkeypatch: pytest.MonkeyPatch, source: str, cost_usd: str, status: str
) -> None:
    monkeypatch.setenv("LLM_COST_COST_SOURCE", source)
    with CostTracker(home) as tracker:
        record = tracker.record(
            llm_response=REPORTED,
            trackable=("Assignment", 1),
            user=1,
            request_type="generate_rubric",
            prompt="p",
            occurred_at=AT,
        )
    assert (record.cost_usd, record.pricing_status) == (Decimal(cost_usd), status)
    assert record.provider_cost_usd == Decimal("0.00095")


def test_estimated_counts_make_an_estimated_cost() -> None:
    broken_off = LLMResponse(provider="openai", model="gpt-5-mini", usage=USAGE, status="partial", estimated=True)
    assert CostCalculator().cost(broken_off, at=AT).pricing_status == "estimated"
