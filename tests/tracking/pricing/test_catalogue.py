"""Our arithmetic against genai-prices' own, on every model it knows: equal to the last digit, or wrong."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

import pytest
from catalogued import NOON, instants_around_every_change, knows_the_terms, prices_of, tier_starts
from genai_prices import Usage as CatalogueUsage
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider
from genai_prices.units import _get_registry
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tracking.errors import UsageError
from tracking.pricing.sources.catalogued_model import CataloguedModel, _factor_of
from tracking.pricing.sources.compiled_rates import unit_of_rate

MODELS = [(provider, model) for provider in providers for model in provider.models]
BORROWED = [
    (provider, model)
    for provider in providers
    for lender in providers
    if lender.id in (provider.fallback_model_providers or ())
    for model in lender.models
]


def contexts_of(model: ModelInfo) -> list[dict[str, str]]:
    return [{}, {"service_tier": "no-such-tier"}, *(dict(variant.when) for variant in model.price_variants or ())]


def priced_units(model: ModelInfo) -> list[str]:
    registry = _get_registry()
    keys = {key for prices in prices_of(model) for key, rate in vars(prices).items() if rate is not None}
    return sorted({registry.unit_for_price_key(key).usage_key for key in keys} - {"requests"})


def both(
    provider: Provider, model: ModelInfo, counts: dict[str, int | Decimal], at: datetime, context: dict[str, str]
) -> tuple[Decimal | None, Decimal | None]:
    """Our amount and genai-prices', `None` where the counts are refused."""
    usage = CatalogueUsage(**counts)
    try:
        expected = model.calc_price(
            usage, provider, genai_request_timestamp=at, price_context=context or None
        ).total_price
    except ValueError:
        expected = None
    try:
        card = catalogued(id(provider), id(model)).price(at, context).card
        ours = card.usd(counts)
    except UsageError:
        ours = None
    else:
        assert sum((line.amount for line in card.lines(counts)), Decimal(0)) == ours
    return ours, expected


BY_ID = {id(provider): provider for provider in providers} | {id(model): model for _, model in MODELS}


@cache
def catalogued(provider: int, model: int) -> CataloguedModel:
    return CataloguedModel.of_catalogue(BY_ID[provider], BY_ID[model])


def has_facts(
    provider: Provider, model: ModelInfo, at: datetime, context: dict[str, str], counts: Mapping[str, int | Decimal]
) -> bool:
    """Whether facts of our own decide this amount; test_supplement.py holds them to their sources.

    A price of ours in force then, a factor for these very terms, or a rate of a unit that is counted; a call is counted
    as one request by itself.
    """
    facts = [fact for fact in catalogued(id(provider), id(model))._facts if fact.holds(at)]
    dimensions = {name: unit.dimensions.items() for name, unit in _get_registry().units.items()}
    told = [dimensions[unit] for unit, count in counts.items() if count]
    counted = {whole for whole, its_own in dimensions.items() if any(its_own <= part for part in told)}
    return any(
        fact.kind == "price"
        or not (counted | {"requests"}).isdisjoint(map(unit_of_rate, (*fact.rates, *fact.shares)))
        or (fact.kind == "factor" and any(_factor_of([fact], *term) for term in context.items()))
        for fact in facts
    )


def nested_counts(units: list[str], scale: int) -> dict[str, int | Decimal]:
    """Counts in which no part exceeds its whole: the more dimensions a unit has, the less of it there is."""
    registry = _get_registry()
    return {unit: scale // 40 ** len(registry.units[unit].dimensions) + 1 for unit in units}


def test_every_model_at_every_price_change_in_every_variant_costs_what_genai_prices_says() -> None:
    compared = by_facts = 0
    for provider, model in MODELS:
        units = priced_units(model)
        usages = [nested_counts(units, scale) for scale in (10**8, 1_234_567_891)]
        usages += [{"input_tokens": 977, "output_tokens": 331}, {}]
        for at in instants_around_every_change(model):
            for context in contexts_of(model):
                if not knows_the_terms(model, context, at):
                    continue
                for counts in usages:
                    ours, expected = both(provider, model, counts, at, context)
                    if ours != expected and has_facts(provider, model, at, context, counts):
                        by_facts += 1
                        continue
                    assert ours == expected, (provider.id, model.id, at, context, counts)
                    compared += 1
    assert compared > 10_000
    assert by_facts < compared / 20


def test_every_tier_starts_one_token_above_its_boundary_for_the_whole_request() -> None:
    tiered = [(provider, model) for provider, model in MODELS if tier_starts(model)]
    assert len(tiered) > 50
    for provider, model in tiered:
        for start in tier_starts(model):
            amounts = []
            for input_tokens in (start - 1, start, start + 1):
                counts = {"input_tokens": input_tokens, "output_tokens": 1000}
                ours, expected = both(provider, model, counts, NOON, {})
                assert ours == expected, (provider.id, model.id, input_tokens)
                amounts.append(ours)
            assert amounts[2] - amounts[1] >= amounts[1] - amounts[0]


def test_models_sold_from_another_providers_list_have_no_variants_of_their_own() -> None:
    for provider, model in BORROWED:
        for context in contexts_of(model):
            counts: dict[str, int | Decimal] = {"input_tokens": 977, "output_tokens": 331}
            ours, expected = both(provider, model, counts, NOON, context)
            decided = has_facts(provider, model, NOON, context, counts)
            assert ours == expected or decided, (provider.id, model.id, context)


@st.composite
def drawn_calls(draw: st.DrawFn) -> tuple[Provider, ModelInfo, dict[str, int | Decimal], datetime, dict[str, str]]:
    provider, model = draw(st.sampled_from(MODELS))
    every_unit = sorted(_get_registry().units.keys() - {"requests"})
    likely = priced_units(model) or every_unit
    units = draw(st.lists(st.sampled_from(likely) | st.sampled_from(every_unit), max_size=6, unique=True))
    amounts = st.integers(0, 300_000) | st.integers(0, 10**15) | st.decimals(0, 10**6, places=3)
    counts = {unit: draw(amounts) for unit in units}
    at = draw(
        st.sampled_from(sorted(instants_around_every_change(model)))
        | st.datetimes(datetime(2023, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    )
    return provider, model, counts, at, draw(st.sampled_from(contexts_of(model)))


@settings(max_examples=1500)
@given(drawn_calls())
def test_any_counts_at_any_instant_cost_or_are_refused_as_genai_prices_does(
    call: tuple[Provider, ModelInfo, dict[str, int | Decimal], datetime, dict[str, str]],
) -> None:
    provider, model, counts, at, context = call
    assume(knows_the_terms(model, context, at))
    ours, expected = both(*call)
    assert ours == expected or has_facts(provider, model, at, context, counts)


def test_a_minimum_of_no_seconds_is_none_and_a_part_of_another_kind_does_not_matter() -> None:
    groq = next(provider for provider in providers if provider.id == "groq")
    whisper = next(model for model in groq.models if model.id == "whisper-large-v3-turbo")
    ours, expected = both(groq, whisper, {"input_audio_seconds": 0, "output_audio_seconds": 1}, NOON, {})
    assert ours == expected == 0


@pytest.mark.parametrize("seconds", [0, 1, 9, 10, 11, Decimal("9.99")])
@pytest.mark.parametrize("unit", ["audio_seconds", "input_audio_seconds"])
def test_short_audio_is_billed_at_its_minimum(unit: str, seconds: int | Decimal) -> None:
    groq = next(provider for provider in providers if provider.id == "groq")
    whisper = next(model for model in groq.models if model.id == "whisper-large-v3")
    ours, expected = both(groq, whisper, {unit: seconds}, NOON, {})
    assert ours == expected
