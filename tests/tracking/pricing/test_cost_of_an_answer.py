"""What a cost says of itself: its instant, its receipt, why it is unknown, and the price to compute it from again."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from provider_answers import ANTHROPIC, CHAT

from tracking import ArgumentError, CostCalculator, CostTracker, LLMResponse, UnknownModelError, Usage

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_the_instant_is_the_answers_own_unless_one_is_given() -> None:
    response = LLMResponse.from_provider(CHAT)
    assert CostCalculator().cost(response).at == response.created
    elsewhere = AT.astimezone(timezone(timedelta(hours=-8)))
    assert CostCalculator().cost(response, at=elsewhere).at == AT


def test_a_naive_instant_is_refused_not_taken_for_local_time() -> None:
    with pytest.raises(ArgumentError, match=r"at \(2026-11-20T12:00:00\) has no time zone"):
        CostCalculator().cost(LLMResponse.from_provider(CHAT), at=AT.replace(tzinfo=None))


def test_the_receipt_names_units_rates_and_total() -> None:
    cost = CostCalculator().cost(LLMResponse.from_provider(ANTHROPIC), at=AT)
    receipt = cost.explain()
    assert receipt.startswith("anthropic claude-sonnet-4-5")
    for line in cost.lines:
        assert line.unit in receipt
        assert f"{line.quantity:,}" in receipt
        assert line.amount == line.rate * line.quantity / line.per
    assert f"total ${cost.usd.normalize():f}" in receipt
    assert str(cost.price_id) in receipt


def test_an_unpriced_cost_is_unknown_not_zero() -> None:
    response = LLMResponse(provider="openai", model="own-model", usage=Usage(input_tokens=1))
    cost = CostCalculator().unpriced(response, at=AT)
    assert (cost.usd, cost.cost_usd, cost.micro_usd, cost.price_id) == (None, None, None, None)
    assert cost.llm == "own-model"
    assert "no price known" in cost.explain()


def test_a_failed_call_goes_by_the_same_name_as_its_models_priced_ones() -> None:
    """Under the provider's name it was a model of its own in every report, which never succeeded."""
    failed = LLMResponse(provider="anthropic", model="claude-haiku-4-5-20251001", usage=Usage(), status="error")
    answered = replace(failed, usage=Usage(input_tokens=1, output_tokens=1), status="ok")
    calculator = CostCalculator()
    unpriced = calculator.failed(failed, at=AT)
    assert (unpriced.llm, unpriced.llm_family) == ("claude-haiku-4-5", "claude")
    assert (unpriced.usd, unpriced.price_id) == (None, None)
    assert calculator.cost(answered, at=AT).llm == unpriced.llm


def test_free_is_zero_not_unknown() -> None:
    response = LLMResponse(provider="openai", model="gpt-4o", usage=Usage(input_tokens=0, output_tokens=0))
    cost = CostCalculator().cost(response, at=AT)
    assert (cost.usd, cost.cost_usd, cost.micro_usd, cost.pricing_status) == (0, 0, 0, "priced")


def test_unknown_models_come_with_the_nearest_known_names() -> None:
    response = LLMResponse(provider="openai", model="gpt-4oo-minni", usage=Usage(input_tokens=1))
    with pytest.raises(UnknownModelError) as refusal:
        CostCalculator().cost(response, at=AT)
    assert (refusal.value.provider, refusal.value.model) == ("openai", "gpt-4oo-minni")
    assert len(refusal.value.nearest) == 3
    assert "openai/gpt-4o-mini" in refusal.value.nearest
    for word in ("'openai'", "'gpt-4oo-minni'", *refusal.value.nearest):
        assert word in str(refusal.value)


def test_a_model_that_is_missing_is_said_to_be_missing() -> None:
    response = LLMResponse(provider="aws", model=None, usage=Usage(input_tokens=1))
    with pytest.raises(UnknownModelError, match=r"names no model \(pass model=…\)"):
        CostCalculator().cost(response, at=AT)


def recomputed(price: dict[str, Any], counts: dict[str, Any]) -> Decimal:
    """A row's cost from its price file and its counts alone, by what the file says and nothing else."""
    total = Decimal(0)
    for rate in price["rates"]:
        quantity = counts.get(rate["unit"], 0) - sum(counts.get(part, 0) for part in _outermost(price, rate))
        tiers = [tier for tier in rate["tiers"] if counts["input_tokens"] > tier["above_input_tokens"]]
        total += Decimal(tiers[-1]["usd"] if tiers else rate["usd"]) * quantity / Decimal(rate["per"])
    return total


def _outermost(price: dict[str, Any], rate: dict[str, Any]) -> set[str]:
    """The units priced apart from a rate's own, without those that are themselves part of one of them."""
    inner = {unit for other in price["rates"] if other["unit"] in rate["without"] for unit in other["without"]}
    return set(rate["without"]) - inner


@pytest.mark.parametrize("input_tokens", [10, 300_000])
def test_a_row_can_be_recomputed_from_its_pinned_price(tracker: CostTracker, home: Path, input_tokens: int) -> None:
    record = tracker.record(
        llm_response=ANTHROPIC | {"usage": ANTHROPIC["usage"] | {"input_tokens": input_tokens}},
        trackable=("Assignment", 1),
        user=1,
        request_type="generate_rubric",
        prompt="p",
        occurred_at=AT,
    )
    price = json.loads((home / "prices" / f"{record.price_id}.json").read_text())
    assert (price["source"], price["provider"], price["model"]) == ("genai-prices", "anthropic", record.llm)
    counts = {name: count for name, count in record.model_dump().items() if name.endswith("_tokens") and count}
    assert recomputed(price, counts | json.loads(record.other_units)) == record.cost_usd
