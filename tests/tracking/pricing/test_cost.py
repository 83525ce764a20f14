"""The price of one answer: genai-prices' own, to its last digit, in any caller's decimal context."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, Inexact, localcontext
from pathlib import Path
from typing import Any

import pytest
from catalogued import knows_the_terms
from genai_prices import Usage as CatalogueUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from provider_answers import SHAPES, catalogue_counts

from tracking import CostCalculator, CostTracker, LLMResponse, UnknownModelError, Usage, UsageError

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CATALOGUE = Context(prec=28, rounding=ROUND_HALF_EVEN)
"""What genai-prices computes in: a third of a cent, and so a sum of lines, ends at its 28th digit."""
WIDE = Context(prec=80)
HOSTILE = Context(prec=6, rounding=ROUND_DOWN)


def oracle(response: LLMResponse, at: datetime) -> Decimal:
    """What genai-prices itself says; LookupError and ValueError are its own."""
    usage = CatalogueUsage(**catalogue_counts(response.usage))
    with localcontext(CATALOGUE):
        return calc_price(
            usage,
            response.model or "",
            provider_id=response.provider,
            genai_request_timestamp=at,
            price_context=dict(response.price_context) or None,
        ).total_price


def assert_exact(response: LLMResponse, expected: Decimal, at: datetime = AT) -> None:
    with localcontext(HOSTILE):
        cost = CostCalculator().cost(response, at=at)
        cost_usd, micro_usd = cost.cost_usd, cost.micro_usd
        cost.explain()
    assert cost.usd == expected
    with localcontext(CATALOGUE):
        assert sum((line.amount for line in cost.lines), Decimal(0)) == expected
    with localcontext(WIDE):
        assert cost_usd == expected.quantize(Decimal("1e-12"), rounding=ROUND_HALF_EVEN)
        assert micro_usd == int(cost_usd.quantize(Decimal("1e-6"), rounding=ROUND_HALF_EVEN) * 1_000_000)
    assert cost_usd.as_tuple().exponent == -12
    assert (cost.pricing_status, cost.at) == ("estimated" if cost.assumptions else "priced", at)


def test_every_real_answer_costs_what_genai_prices_says(real_responses: list[dict[str, Any]]) -> None:
    priced = unknown = by_facts = 0
    for line in real_responses:
        try:
            response = LLMResponse.from_provider(line["response"], provider=line["provider"])
        except ValueError:
            continue
        try:
            expected = oracle(response, AT)
        except LookupError:
            unknown += 1
            assert_of_another_source(response, AT)
        else:
            cost = CostCalculator().cost(response, at=AT)
            if cost.usd != expected and cost.price is not None and cost.price.facts:
                by_facts += 1  # of our own: test_supplement.py
                continue
            priced += 1
            assert_exact(response, expected)
    assert priced > 600
    assert by_facts < 20
    assert unknown > 100


def test_real_answers_no_catalogue_prices_are_recorded_unpriced(
    real_responses: list[dict[str, Any]], home: Path, journal_records: Any
) -> None:
    responses = [
        LLMResponse.from_provider(line["response"], provider=line["provider"])
        for line in real_responses
        if line["provider"] in {"aws", "cohere", "cerebras", "zai"}
    ]
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = [
            tracker.record(
                llm_response=response,
                trackable=("Assignment", 1),
                user=1,
                request_type="generate_rubric",
                prompt="p",
                occurred_at=AT,
            )
            for response in responses
        ]
    unpriced = 0
    for response, record in zip(responses, records, strict=True):
        try:
            expected = oracle(response, AT)
        except LookupError:
            unpriced += 1
            assert (record.pricing_status, record.cost_usd, record.micro_usd) == ("unpriced", None, None)
        else:
            assert record.cost_usd == expected.quantize(Decimal("1e-12"), rounding=ROUND_HALF_EVEN)
    assert unpriced
    rows = journal_records(home)
    assert [row["record_id"] for row in rows] == [record.record_id for record in records]
    assert sum(row["cost_usd"] is None for row in rows) == unpriced


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_costs_what_genai_prices_says(shape: str) -> None:
    provider, model, body, _ = SHAPES[shape]
    response = LLMResponse.from_provider(body, provider=provider, model=model)
    try:
        expected = oracle(response, AT)
    except LookupError:
        assert_of_another_source(response, AT)
    except ValueError:
        with pytest.raises(UsageError):
            CostCalculator().cost(response, at=AT)
    else:
        assert_exact(response, expected)


PAIRS = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
COUNTS = st.one_of(st.none(), st.integers(0, 50), st.integers(0, 2_000_000))
FIRST = datetime(2023, 1, 1, tzinfo=UTC)
INSTANTS = st.integers(0, 5 * 365 * 86_400).map(lambda seconds: FIRST + timedelta(seconds=seconds))


@st.composite
def answers(draw: st.DrawFn) -> LLMResponse:
    """An answer of any model of the catalogue, with counts that mostly, not always, fit together."""
    provider, model = draw(st.sampled_from(PAIRS))
    cache_read, cache_write, output = draw(COUNTS), draw(COUNTS), draw(COUNTS)
    fresh = draw(COUNTS)
    parts = [part for part in (cache_read, cache_write, fresh) if part is not None]
    variants = [variant.when for variant in model.price_variants or ()]
    context = draw(st.sampled_from([{}, {"service_tier": "no such tier"}, *variants]))
    names = {key for price in _prices(model) for key in _units(price)} - {
        "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens",
        "output_reasoning_tokens", "requests",
    }  # fmt: skip
    others = draw(st.dictionaries(st.sampled_from(sorted(names)), st.integers(0, 3000), max_size=2)) if names else {}
    try:
        usage = Usage(
            input_tokens=sum(parts) if parts else None,
            cache_read_tokens=cache_read,
            cache_write_tokens=cache_write,
            cache_write_1h_tokens=None if not cache_write else draw(st.none() | st.integers(0, cache_write)),
            output_tokens=output,
            reasoning_tokens=None if not output else draw(st.none() | st.integers(0, output)),
            other_units=others,
        )
    except UsageError:
        assume(False)
        raise
    return LLMResponse(provider=provider.id, model=model.id, usage=usage, price_context=context)


def model_of(response: LLMResponse) -> Any:
    return next(model for provider, model in PAIRS if (provider.id, model.id) == (response.provider, response.model))


def _prices(model: Any) -> list[Any]:
    conditional = model.prices if isinstance(model.prices, list) else [model]
    return [priced.prices for priced in conditional]


def _units(prices: Any) -> list[str]:
    from genai_prices.units import _get_registry

    return [_get_registry().unit_for_price_key(key).usage_key for key, rate in vars(prices).items() if rate is not None]


def assert_of_another_source(response: LLMResponse, at: datetime) -> None:
    """genai-prices does not know the model by this name: another source does, or it is unknown."""
    try:
        price = CostCalculator().cost(response, at=at).price
    except (UnknownModelError, UsageError):
        return
    assert price is not None
    if price.source == "genai-prices":  # by the name without what stands around it
        assert price.llm != response.model
        assert price.card.usd(catalogue_counts(response.usage)) == oracle(replace(response, model=price.llm), at)


def differs_by_facts(response: LLMResponse, expected: Decimal, at: datetime) -> bool:
    """Whether a fact of our own makes the amount another; test_supplement.py holds those to their sources."""
    cost = CostCalculator().cost(response, at=at)
    return cost.usd != expected and cost.price is not None and bool(cost.price.facts)


@settings(max_examples=600)
@given(answers(), INSTANTS)
def test_any_usage_of_any_model_at_any_time_costs_what_genai_prices_says(response: LLMResponse, at: datetime) -> None:
    assume(knows_the_terms(model_of(response), dict(response.price_context), at))
    try:
        expected = oracle(response, at)
    except LookupError:
        event("unknown model")
        assert_of_another_source(response, at)
    except ValueError:
        event("counts that contradict each other")
        with pytest.raises(UsageError):
            CostCalculator().cost(response, at=at)
    else:
        if differs_by_facts(response, expected, at):
            event("priced by a fact of our own")
        else:
            event("priced")
            assert_exact(response, expected, at)


def test_every_model_of_the_catalogue_is_priced_as_genai_prices_prices_it() -> None:
    usage = Usage(input_tokens=123_457, cache_read_tokens=23_456, output_tokens=34_567)
    for provider, model in PAIRS:
        response = LLMResponse(provider=provider.id, model=model.id, usage=usage)
        try:
            expected = oracle(response, AT)
        except LookupError:
            assert_of_another_source(response, AT)
        except ValueError:
            with pytest.raises(UsageError):
                CostCalculator().cost(response, at=AT)
        else:
            if not differs_by_facts(response, expected, AT):
                assert CostCalculator().cost(response, at=AT).usd == expected, (provider.id, model.id)


def test_a_trap_set_by_the_caller_does_not_reach_the_arithmetic() -> None:
    response = LLMResponse(provider="openai", model="gpt-4o", usage=Usage(input_tokens=7, output_tokens=3))
    with localcontext(Context(prec=4, traps=[Inexact])):
        cost = CostCalculator().cost(response, at=AT)
        assert cost.usd is not None
        assert cost.micro_usd is not None


def test_a_service_tier_given_by_hand_selects_its_price() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    standard = LLMResponse(provider="openai", model="gpt-5", usage=usage)
    flex = LLMResponse(provider="openai", model="gpt-5", usage=usage, service_tier="flex")
    assert CostCalculator().cost(flex, at=AT).usd == oracle(flex, AT)
    assert CostCalculator().cost(flex, at=AT).usd < CostCalculator().cost(standard, at=AT).usd
