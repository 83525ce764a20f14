"""`priced` means that every count and every term found a rate of its own; otherwise the row says what was assumed."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tracking import CostCalculator, CostTracker, LLMResponse
from tracking.assumptions import assumed_by_answer, assumptions_json
from tracking.pricing.price import Price
from tracking.pricing.rate_card import Rate, RateCard
from tracking.terms import unmet_terms

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
USAGE = {"input_tokens": 1000, "output_tokens": 100}


def assumed(provider: str = "openai", model: str = "gpt-4o", at: datetime = AT, **fields: object) -> list[object]:
    answer = {"provider": provider, "model": model, "usage": USAGE} | fields
    cost = CostCalculator().cost(LLMResponse(**answer), at=at)
    assert cost.pricing_status == ("estimated" if cost.assumptions else "priced")
    return list(cost.assumptions)


@pytest.mark.parametrize("tier", ["default", "standard", "auto", "STANDARD", "on_demand"])
def test_an_ordinary_tier_is_no_assumption(tier: str) -> None:
    assert assumed(service_tier=tier) == []


@pytest.mark.parametrize("terms", [{"speed": "standard"}, {"processing": "standard"}, {"region": "global"}])
def test_ordinary_terms_are_no_assumption(terms: dict[str, str]) -> None:
    assert assumed("anthropic", "claude-opus-4-8", price_context=terms) == []


def test_a_tier_without_a_rate_is_said() -> None:
    assert assumed(service_tier="scale") == [{"standard_rate_for": "service_tier=scale"}]


def test_a_region_without_a_rate_is_said() -> None:
    assert assumed("groq", "llama-3.3-70b-versatile", region="moon-1") == [{"standard_rate_for": "region=moon-1"}]


def test_a_unit_without_any_rate_is_said_and_adds_nothing() -> None:
    usage = USAGE | {"other_units": {"rerank_searches": 2}}
    assert assumed(usage=usage) == [{"unpriced_unit": "rerank_searches"}]
    usage = USAGE | {"other_units": {"search_sources": 2}}
    assert assumed(usage=usage) == [{"unpriced_unit": "search_sources"}]


def test_a_count_of_zero_is_no_assumption() -> None:
    assert assumed(usage=USAGE | {"other_units": {"rerank_searches": 0, "output_audio_tokens": 0}}) == []


def test_sound_at_the_rate_of_text_is_said_pictures_read_are_not() -> None:
    card = RateCard([Rate("input_tokens", Decimal(1), Decimal(1)), Rate("output_tokens", Decimal(1), Decimal(1))])
    price = Price("test", "1", "p", "m", {}, card)
    read = {"input_tokens": 9, "input_image_tokens": 2, "output_tokens": 1, "output_reasoning_tokens": 1}
    assert price.assumed(read) == ()
    heard = read | {"input_audio_tokens": 3, "output_image_tokens": 1}
    assert list(price.assumed(heard)) == [
        {"standard_rate_for": "input_audio_tokens"},
        {"standard_rate_for": "output_image_tokens"},
    ]


def test_a_price_of_another_seller_is_said() -> None:
    assert {"other_sellers_price": "openai"} in assumed("azure", "gpt-5-mini")


def test_what_was_assumed_of_the_answer_comes_first() -> None:
    words = ({"totals_disagree": {"total": 3, "parts": 2}},)
    said = assumed(service_tier="scale", assumptions=words)
    assert said == [*words, {"standard_rate_for": "service_tier=scale"}]


def test_a_receipt_says_in_words_what_was_assumed() -> None:
    cost = CostCalculator().cost_of(model="gpt-4o", service_tier="scale", **USAGE)
    assert "assumed: standard_rate_for service_tier=scale: a term of the answer has no rate" in cost.explain()


def test_a_tier_that_stands_for_another_term_is_met_by_either() -> None:
    batch = {"service_tier": "batch", "processing": "batch"}
    assert unmet_terms(batch, {("processing", "batch")}) == ()
    assert unmet_terms(batch, {("service_tier", "batch")}) == ()
    assert unmet_terms(batch, set()) == (("service_tier", "batch"),)
    assert unmet_terms({"service_tier": "default", "processing": "batch"}, set()) == (("processing", "batch"),)


def test_a_row_keeps_what_was_assumed_and_a_plain_one_keeps_nothing(tmp_path: Path) -> None:
    with CostTracker(tmp_path) as tracker:
        rows = [
            tracker.record(
                llm_response=LLMResponse(provider="openai", model="gpt-4o", usage=USAGE, service_tier=tier),
                user="u",
                trackable=("Assignment", 1),
                request_type="generate_rubric",
                prompt="p",
            )
            for tier in ("default", "scale")
        ]
    assert [row.pricing_status for row in rows] == ["priced", "estimated"]
    assert [row.price_assumptions for row in rows] == [None, '[{"standard_rate_for": "service_tier=scale"}]']


def test_what_an_answer_left_open_stays_when_it_is_priced_again_and_what_a_price_did_goes() -> None:
    then = assumptions_json([{"tokens_from_text": "input"}, {"undated_price": "2026-11-01"}])
    assert assumed_by_answer(then, "estimated") == ({"tokens_from_text": "input"},)
    assert assumed_by_answer(None, "estimated") == ({"tokens_from_text": "output"},)
    assert assumed_by_answer(None, "priced") == ()


def test_a_frame_keeps_what_its_answers_left_open() -> None:
    frame = pl.DataFrame(
        {
            "provider": ["openai"] * 3,
            "model": ["gpt-4o"] * 3,
            "service_tier": [None, "scale", None],
            "input_tokens": [1000] * 3,
            "pricing_status": ["estimated", "estimated", "priced"],
            "price_assumptions": ['[{"tokens_from_text": "input"}]', '[{"standard_rate_for": "region=x"}]', None],
        }
    )
    priced = CostCalculator().cost_frame(frame)
    said = [json.loads(text) if text else None for text in priced["price_assumptions"]]
    assert said == [[{"tokens_from_text": "input"}], [{"standard_rate_for": "service_tier=scale"}], None]
    assert priced["pricing_status"].to_list() == ["estimated", "estimated", "priced"]


@pytest.mark.parametrize(
    ("provider", "model"),
    [("google", "gemini-2.5-flash-image"), ("openai", "gpt-audio"), ("google", "gemini-live-2.5-flash-preview")],
)
def test_an_output_of_text_pictures_or_sound_that_is_not_divided_is_said(provider: str, model: str) -> None:
    undivided = {"standard_rate_for": "output_tokens of no named kind"}
    assert undivided in assumed(provider, model)
    for unit in ("output_image_tokens", "output_audio_tokens", "output_text_tokens"):
        assert undivided not in assumed(provider, model, usage=USAGE | {"other_units": {unit: 0}})


def test_own_keys_at_openrouter_are_a_term_without_a_rate() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "cost": 0.0002, "is_byok": True}
    body = {"id": "gen-1", "model": "openai/gpt-5-mini", "choices": [], "usage": usage}
    response = LLMResponse.from_provider(body, "openrouter")
    assert response.provider_cost is None  # a fee alone: what the upstream bills is not told
    assert CostCalculator().cost(response, at=AT).assumptions == ({"standard_rate_for": "key=own"},)
    parts = {"upstream_inference_prompt_cost": 0.003, "upstream_inference_completions_cost": 0.0015}
    told = LLMResponse.from_provider(body | {"usage": usage | {"cost_details": parts}}, "openrouter")
    assert told.provider_cost == Decimal("0.0047")
