"""Facts of our own beside genai-prices: each with its source, none against another, and what they say of real terms."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tracking import Cost, CostCalculator, LedgerError, LLMResponse, Usage
from tracking.pricing.sources.catalogue import catalogued_model, every_model
from tracking.pricing.sources.supplement_files import facts_about, facts_in, providers_with_facts
from tracking.providers import find_provider

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MILLION = Usage(input_tokens=1_000_000, output_tokens=100_000)


def priced(provider: str, model: str, at: datetime = NOON, usage: Usage = MILLION, **terms: str) -> Cost:
    return CostCalculator().cost(LLMResponse(provider=provider, model=model, usage=usage, **terms), at=at)  # type: ignore[arg-type]


def test_every_fact_names_a_provider_of_the_catalogue_its_source_and_the_day_it_was_read() -> None:
    assert len(providers_with_facts()) >= 9
    for provider in providers_with_facts():
        assert find_provider(provider), provider
        facts = facts_about(provider)
        assert facts
        for fact in facts:
            assert fact.source.startswith("https://"), (provider, fact)
            assert date(2026, 11, 1) <= fact.read, (provider, fact)


@pytest.mark.parametrize(
    ("provider", "model", "terms", "times"),
    [
        ("openai", "gpt-5-mini", {"service_tier": "flex"}, "0.5"),
        ("openai", "gpt-5", {"service_tier": "priority"}, "2"),
        ("openai", "gpt-4o", {"service_tier": "batch"}, "0.5"),
        ("anthropic", "claude-opus-4-1", {"service_tier": "batch"}, "0.5"),
        ("anthropic", "claude-sonnet-5", {"region": "us"}, "1.1"),
        ("groq", "llama-3.3-70b-versatile", {"service_tier": "flex"}, "1"),
        ("mistral", "mistral-large-latest", {"service_tier": "batch"}, "0.5"),
    ],
)
def test_a_published_factor_is_a_known_rate(provider: str, model: str, terms: dict[str, str], times: str) -> None:
    standard, served = priced(provider, model), priced(provider, model, **terms)
    assert served.usd == standard.usd * Decimal(times)
    assert served.pricing_status == "priced"


def test_a_factor_holds_from_the_day_the_term_was_sold() -> None:
    before = datetime(2024, 4, 14, tzinfo=UTC)
    assert priced("openai", "gpt-3.5-turbo", datetime(2024, 4, 16, tzinfo=UTC), service_tier="batch").assumptions == ()
    assert priced("openai", "gpt-3.5-turbo", before, service_tier="batch").pricing_status == "estimated"


def test_a_factor_published_for_a_tier_but_not_for_the_model_is_taken_and_said() -> None:
    cost = priced("google", "gemini-2.5-flash", service_tier="flex")
    assert cost.usd == priced("google", "gemini-2.5-flash").usd / 2
    assert cost.assumptions == ({"factor_for": "service_tier=flex"},)


def test_peak_hours_are_those_of_working_days() -> None:
    friday, saturday = datetime(2026, 11, 20, 2, tzinfo=UTC), datetime(2026, 11, 21, 2, tzinfo=UTC)
    assert (
        priced("deepseek", "deepseek-v4-flash", friday).usd == 2 * priced("deepseek", "deepseek-v4-flash", saturday).usd
    )


def test_every_price_names_its_source_and_its_version() -> None:
    for provider, model in every_model():
        if (known := catalogued_model(provider, model)) is not None:
            price = known.price(NOON, {})
            assert price.source and price.version, price.price_id


def test_hosted_tools_have_their_rates() -> None:
    searches = Usage(input_tokens=0, output_tokens=0, other_units={"web_searches": 3, "storage_searches": 2})
    assert priced("openai", "gpt-5", usage=searches).usd == Decimal("0.035")


def test_a_price_of_another_seller_is_never_plain() -> None:
    assert {"other_sellers_price": "openai"} in priced("azure", "gpt-5").assumptions


RATE = """
[[rate]]
models = ["gpt-5*"]
rates = { web_searches_kcount = "10" }
source = "https://provider.example/prices"
read = 2026-11-26
"""


@pytest.mark.parametrize(
    ("fact", "named"),
    [
        (RATE.replace('"10"', '"ten"'), "ten"),
        (RATE.replace("[[rate]]", "[[fact]]"), "fact"),
        (RATE.replace("source", "origin"), "source|origin"),
        ("rate = 1", "rate is not a list of tables"),
        (RATE.replace('["gpt-5*"]', "[]"), "models"),
        (RATE.replace("gpt-5*", "gpt-nine*"), r"\[\[rate\]\] number 1: openai sells no model called gpt-nine"),
        (RATE + 'open = ["web_seeks"]', "web_seeks"),
        (RATE.replace("[[rate]]", '[[resold]]\nseller = "opnai"').replace("rates", "#"), "opnai"),
        (RATE.replace("[[rate]]", '[[settled]]\nunits = ["gold"]').replace("rates", "#"), "gold"),
        (RATE.replace("[[rate]]", '[[factor]]\nwhen = { tear = "x" }\nfactor = "2"').replace("rates", "#"), "tear"),
    ],
)
def test_a_malformed_fact_is_refused_by_name(tmp_path: Path, fact: str, named: str) -> None:
    path = tmp_path / "openai.toml"
    path.write_text(fact)
    with pytest.raises(LedgerError, match=named):
        facts_in(path)


def test_facts_that_overlap_are_refused_and_both_are_named(tmp_path: Path) -> None:
    path = tmp_path / "openai.toml"
    path.write_text(RATE + RATE)
    with pytest.raises(LedgerError, match=r"number 1.*number 2"):
        facts_in(path)
    wider = path.with_name("azure.toml")
    wider.write_text(RATE + RATE.replace("gpt-5*", "gpt-5-mini*"))
    with pytest.raises(LedgerError, match=r"number 1.*number 2"):
        facts_in(wider)
    with pytest.raises(LedgerError, match="opnai"):
        facts_in(path.rename(path.with_name("opnai.toml")))


def test_a_rate_may_be_a_share_of_the_rate_of_input() -> None:
    read = Usage(input_tokens=1_000_000, cache_read_tokens=1_000_000, output_tokens=0)
    for provider, model, share in (("mistral", "mistral-large-latest", "0.1"), ("cerebras", "gpt-oss-120b", "1")):
        cost = priced(provider, model, usage=read)
        sent = priced(provider, model, usage=Usage(input_tokens=1_000_000, output_tokens=0))
        assert (cost.usd, cost.pricing_status) == (sent.usd * Decimal(share), "priced")


def test_deepseek_had_no_cheaper_nights_before_they_began() -> None:
    night = datetime(2025, 1, 25, 20, tzinfo=UTC)
    assert priced("deepseek", "deepseek-reasoner", night).usd == Decimal("0.769")
    assert priced("deepseek", "deepseek-reasoner", datetime(2025, 3, 1, 20, tzinfo=UTC)).usd < Decimal("0.769")


def test_prices_on_terms_stand_beside_one_on_none(tmp_path: Path) -> None:
    price = """
[[price]]
models = ["m"]
rates = { input_mtok = "1", output_mtok = "1" }
source = "https://provider.example/prices"
read = 2026-11-26
"""
    path = tmp_path / "openai.toml"
    path.write_text(price + price.replace("rates", 'when = { search_context = "high" }\nrates'))
    assert [fact.when[0] for fact in facts_in(path)] == ["", "search_context"]
    path.with_name("azure.toml").write_text(price.replace("rates", 'when = { search_context = "high" }\nrates') * 2)
    with pytest.raises(LedgerError, match=r"number 1.*number 2"):
        facts_in(path.with_name("azure.toml"))


@pytest.mark.parametrize(("month", "usd"), [(7, "8"), (9, "2.7"), (11, "5.4")])
def test_a_model_that_is_sold_on_has_its_sellers_price_where_that_changed_since(month: int, usd: str) -> None:
    """OpenAI's price fell in August; OpenRouter's list is of later: half of OpenAI's until October, then the same."""
    at = datetime(2026, month, 17, 12, tzinfo=UTC)
    cost = priced("openrouter", "openai/gpt-5.6-sol", at, Usage(input_tokens=100_000, output_tokens=250_000))
    assert cost.usd == Decimal(usd)


def test_a_model_that_only_its_seller_lists_has_the_sellers_price() -> None:
    read = Usage(input_tokens=1_000_000, cache_read_tokens=1_000_000, output_tokens=0)
    cost = priced("openrouter", "x-ai/grok-4", usage=read)
    assert (cost.usd, cost.pricing_status) == (priced("x-ai", "grok-4", usage=read).usd, "priced")
    assert priced("openrouter", "text-embedding-3-small", usage=Usage(input_tokens=1_000_000)).usd == Decimal("0.02")
    assert priced("openrouter", "openai/gpt-oss-20b:free").usd == 0


def test_a_profile_of_a_continent_leaves_the_region_open_by_which_it_is_priced() -> None:
    cost = priced("aws", "eu.amazon.nova-pro-v1:0")
    assert cost.usd == Decimal("1.47")
    assert cost.assumptions == ({"standard_rate_for": "region of the model's profile"},)
    assert priced("aws", "us.amazon.nova-pro-v1:0").pricing_status == "priced"
