"""`cost_frame` against the calculator itself, row for row: the same to the last digit, or wrong."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from catalogued import MICROSECOND, NOON, instants_around_every_change, tier_starts
from frames import MODELS, SAID, assert_same_as_by_row, by_row, frame_of, row
from genai_prices.types import ModelInfo
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import CostCalculator
from tracking.pricing.linear_rates import NEVER, linear
from tracking.pricing.rate_card import Rate, RateCard
from tracking.pricing.sources.catalogue import find_price
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.usage import MAX_COUNT, TOKEN_COUNTS

OVERRIDES = """
[[price]]
provider = "self-hosted"
model = "llama-own"
from = 2026-06-01
to = 2026-11-22T12:00:00Z
rates = { input_mtok = "0.1234567890123456789", output_mtok = 0.75 }

[[discount]]
provider = "openai"
percent = "12.5"
from = 2026-11-22T12:00:00Z

[[fee]]
provider = "openai"
model = "gpt-4o"
usd_per_request = "0.00000000000050001"
"""


@pytest.fixture
def own_prices(tmp_path: Path) -> CostCalculator:
    path = tmp_path / "prices.toml"
    path.write_text(OVERRIDES, encoding="utf-8")
    return CostCalculator(PriceOverrides.load(path))


def tiers_of(model: ModelInfo) -> list[str | None]:
    named = {variant.when.get("service_tier") for variant in model.price_variants or ()}
    return [None, *sorted(name for name in named if name)]


def input_sizes(model: ModelInfo) -> set[int]:
    return {1_234_567} | {start + more for start in tier_starts(model) for more in (0, 1)}


def test_every_model_of_the_catalogue_at_every_change_and_tier_boundary() -> None:
    rows = [
        row(
            provider,
            model.id,
            at,
            service_tier=service_tier,
            input_tokens=tokens,
            cache_read_tokens=tokens // 3,
            cache_write_tokens=tokens // 4,
            cache_write_1h_tokens=tokens // 7,
            output_tokens=7_777,
            reasoning_tokens=111,
        )
        for provider, model in MODELS
        for at in sorted(instants_around_every_change(model))
        for service_tier in tiers_of(model)
        for tokens in input_sizes(model)
    ]
    assert len(rows) > 3000
    priced = assert_same_as_by_row(frame_of(rows), CostCalculator())
    assert priced["cost_usd"].null_count() == 0


@st.composite
def usages(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly consistent counts of every size; now and then any at all."""
    count = st.one_of(
        st.integers(0, 50), st.integers(0, 10**6), st.integers(0, 2**62), st.integers(MAX_COUNT - 1, MAX_COUNT + 1)
    )
    if draw(st.integers(0, 9)) == 0:
        return {name: draw(st.none() | count | st.integers(-3, -1)) for name in TOKEN_COUNTS}

    def part(whole: int | None) -> int | None:
        return None if whole is None else draw(st.none() | st.integers(0, whole))

    whole, output = draw(st.none() | count), draw(st.none() | count)
    read = part(whole)
    write = part(None if whole is None else whole - (read or 0))
    return {
        "input_tokens": whole,
        "cache_read_tokens": read,
        "cache_write_tokens": write,
        "cache_write_1h_tokens": part(write),
        "output_tokens": output,
        "reasoning_tokens": part(output),
    }


@st.composite
def rows_of_usage(draw: st.DrawFn) -> dict[str, Any]:
    provider, model = draw(st.sampled_from(MODELS))
    named = draw(st.sampled_from([model.id] * 9 + ["no-such-model", None, " "]))
    minutes = st.integers(0, 3 * 365 * 1440).map(lambda minute: NOON - timedelta(minutes=minute))
    at = draw(st.sampled_from(sorted(instants_around_every_change(model))) | minutes)
    other_units = [None] * 9 + ['{"web_searches":3}', '{"audio_seconds":12.5}', '{"input_audio_tokens":5}', "{}"]
    return row(
        draw(st.sampled_from([provider] * 19 + [None])),
        named,
        at,
        service_tier=draw(st.sampled_from([*tiers_of(model), "default", "batch"])),
        region=draw(st.sampled_from([None] * 6 + ["us", "global", "eu-central-1"])),
        price_context=draw(st.sampled_from([None] * 6 + ['{"processing":"batch"}', '{"speed":"fast"}', "[]"])),
        other_units=draw(st.sampled_from(other_units)),
        **draw(usages()),
    )


@settings(max_examples=300)
@given(rows=st.lists(rows_of_usage(), min_size=1, max_size=40))
def test_any_rows(rows: list[dict[str, Any]]) -> None:
    assert_same_as_by_row(frame_of(rows), CostCalculator())


@settings(max_examples=60)
@given(rows=st.lists(rows_of_usage(), max_size=20), data=st.data())
def test_any_rows_as_if_another_model_had_answered(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    provider, model = data.draw(st.sampled_from(MODELS))
    what_if = {"provider": provider, "model": model.id, "service_tier": data.draw(st.sampled_from(tiers_of(model)))}
    assert_same_as_by_row(
        frame_of(rows), CostCalculator(), **{name: value for name, value in what_if.items() if value is not None}
    )


@settings(max_examples=100)
@given(counts=st.lists(usages(), min_size=1, max_size=30), seconds=st.integers(-3, 3))
def test_own_prices_discounts_and_fees(counts: list[dict[str, Any]], seconds: int, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("prices") / "prices.toml"
    path.write_text(OVERRIDES, encoding="utf-8")
    calculator = CostCalculator(PriceOverrides.load(path))
    rows = [
        row(provider, model, at + timedelta(seconds=seconds), **count)
        for count in counts
        for at in (NOON, datetime(2026, 6, 1, tzinfo=UTC))
        for provider, model in (("openai", "gpt-4o"), ("openai", "gpt-5-mini"), ("self-hosted", "llama-own"))
    ]
    assert_same_as_by_row(frame_of(rows), calculator)


def test_own_prices_begin_and_end_at_their_instant(own_prices: CostCalculator) -> None:
    rows = [
        row("self-hosted", "llama-own", at, input_tokens=1000)
        for boundary in (datetime(2026, 6, 1, tzinfo=UTC), NOON)
        for at in (boundary - MICROSECOND, boundary)
    ]
    priced = assert_same_as_by_row(frame_of(rows), own_prices)
    assert priced["pricing_status"].to_list() == ["unpriced", "priced", "priced", "unpriced"]
    assert priced["cost_usd"][1] == Decimal("0.000123456789")


@pytest.mark.parametrize("percent", ["10", "33.333333", 0, Decimal("99.99999999"), 100])
def test_a_discount_is_that_of_a_negotiated_one(tmp_path: Path, percent: Any) -> None:
    rows = [
        row(provider, model, input_tokens=tokens, cache_read_tokens=tokens // 3, output_tokens=tokens // 7)
        for provider, model in (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-pro"))
        for tokens in (1, 999, 200_000, 200_001, 12_345_678_901)
    ]
    path = tmp_path / "prices.toml"
    providers = ("openai", "anthropic", "google")
    entries = [f'[[discount]]\nprovider = "{provider}"\npercent = "{percent}"\n' for provider in providers]
    path.write_text("".join(entries), encoding="utf-8")
    agreed = CostCalculator(PriceOverrides.load(path)).cost_frame(frame_of(rows))
    what_if = CostCalculator().cost_frame(frame_of(rows), discount_percent=percent)
    assert what_if["cost_usd"].equals(agreed["cost_usd"])
    assert what_if["price_id"].str.contains("+what-if", literal=True).all()


def test_counts_of_every_size_beside_each_other() -> None:
    ends = (0, 1, 200_000, 200_001, MAX_COUNT, MAX_COUNT + 1, 2**62, 2**63 - 1, -1, -(2**63), None)
    rows = [
        row(provider, model, input_tokens=tokens, output_tokens=output, cache_read_tokens=cached)
        for provider, model in (("google", "gemini-2.5-pro"), ("openai", "gpt-4o"), ("openai", "no-such-model"))
        for tokens in ends
        for output in ends
        for cached in (None, 0, 5, 2**63 - 1, -(2**63))
    ]
    assert_same_as_by_row(frame_of(rows), CostCalculator())


def test_a_tier_is_one_for_the_whole_request() -> None:
    rows = [row("google", "gemini-2.5-pro", input_tokens=tokens, output_tokens=10) for tokens in (200_000, 200_001)]
    below, above = assert_same_as_by_row(frame_of(rows), CostCalculator())["cost_usd"]
    assert above > below * Decimal("1.9")


def test_what_if_keeps_the_recorded_cost_beside_the_new_one() -> None:
    recorded = CostCalculator().cost_frame(frame_of([row(input_tokens=1000, output_tokens=100)]))
    compared = CostCalculator().cost_frame(recorded, model="gpt-5-mini", suffix="_what_if")
    assert compared.select(recorded.columns).equals(recorded)
    assert compared["llm_what_if"].to_list() == ["gpt-5-mini"]
    assert compared["cost_usd"][0] > compared["cost_usd_what_if"][0] > 0
    replaced = CostCalculator().cost_frame(recorded, model="gpt-5-mini")
    assert replaced.columns == recorded.columns
    assert replaced["cost_usd"][0] == compared["cost_usd_what_if"][0]


def test_a_model_alone_is_priced_at_the_provider_whose_naming_it_follows() -> None:
    frame = frame_of([row("anthropic", "claude-sonnet-4-5", input_tokens=1000)])
    alone = CostCalculator().cost_frame(frame, model="gpt-5-mini")
    assert alone.equals(CostCalculator().cost_frame(frame, model="gpt-5-mini", provider="openai"))


def test_a_row_recorded_from_a_batch_is_priced_as_batch_and_as_if_it_had_not_been() -> None:
    rows = frame_of([row("openai", "gpt-4o", input_tokens=1000, price_context='{"processing":"batch"}')] * 2)
    assert assert_same_as_by_row(rows, CostCalculator())["cost_usd"].to_list() == [Decimal("0.00125")] * 2
    standard = assert_same_as_by_row(rows, CostCalculator(), service_tier="default")
    assert standard["cost_usd"].to_list() == [Decimal("0.0025")] * 2
    as_batch = CostCalculator().cost_frame(frame_of([row(input_tokens=1000)]), service_tier="batch")
    assert as_batch["cost_usd"].to_list() == [Decimal("0.00125")]


def test_own_models_of_another_time_are_known(own_prices: CostCalculator) -> None:
    frame = frame_of([row(at=datetime(2026, 7, 1, tzinfo=UTC), input_tokens=1000)])
    priced = own_prices.cost_frame(frame, provider="self-hosted", model="llama-own")
    assert priced["llm"].to_list() == ["llama-own"]
    assert priced["cost_usd"].to_list() == [Decimal("0.000123456789")]


def many_rows() -> pl.DataFrame:
    """More than one batch: every kind of row, an instant each."""
    kinds = [
        row("google", "gemini-2.5-pro", input_tokens=200_001, cache_read_tokens=7, output_tokens=10),
        row("openai", "gpt-4o", input_tokens=1000, output_tokens=3),
        row("openai", "no-such-model", input_tokens=1000),
        row("anthropic", "claude-sonnet-4-5", input_tokens=9, cache_write_tokens=5, cache_write_1h_tokens=2),
        row("openai", "gpt-4o", input_tokens=1, cache_read_tokens=5),
        row("deepseek", "deepseek-chat", input_tokens=1_000_003, output_tokens=17),
    ]
    frame = pl.concat([frame_of(kinds)] * 40_000).with_row_index("row")
    return frame.with_columns(pl.lit(NOON) - pl.duration(minutes=pl.col("row") * 7 % 1_000_000))


def test_lazy_and_batched_equal_eager(tmp_path: Path) -> None:
    frame = many_rows()
    eager = CostCalculator().cost_frame(frame)
    sample = frame.gather_every(997)
    costs = eager.gather_every(997).select(SAID).iter_rows()
    calculator = CostCalculator()
    assert [by_row(each, calculator) for each in sample.drop("row").to_dicts()] == list(costs)

    assert calculator.cost_frame(frame.lazy()).collect(engine="in-memory").equals(eager)
    assert calculator.cost_frame(frame.lazy()).collect(engine="streaming").equals(eager)
    frame.write_parquet(tmp_path / "usage.parquet")
    priced = calculator.cost_frame(pl.scan_parquet(tmp_path / "usage.parquet"))
    priced.sink_parquet(tmp_path / "costs.parquet")
    assert pl.read_parquet(tmp_path / "costs.parquet").equals(eager)
    assert priced.select(pl.col("cost_usd").sum()).collect().item() == eager["cost_usd"].sum()


def test_what_is_not_linear_is_left_to_the_card() -> None:
    def levels(*rates: Rate) -> set[bool]:
        return {level is NEVER for level in linear(RateCard(rates)).levels}

    per = Decimal(10**6)
    assert levels(Rate("input_tokens", per, Decimal("2.50")), Rate("audio_seconds", Decimal(3600), per)) == {False}
    assert levels(Rate("input_tokens", Decimal(3600), Decimal(1))) == {True}
    assert levels(Rate("input_tokens", per, Decimal("1e-30"))) == {True}
    assert levels(Rate("requests", Decimal(1), Decimal(10**7))) == {True}
    # A card that bills more of the parts than the whole has would make some consistent counts negative.
    assert levels(
        Rate("input_tokens", per, Decimal(1), within=("output_tokens",)), Rate("output_tokens", per, Decimal(1))
    ) == {True}


def test_almost_every_card_of_the_catalogue_is_linear() -> None:
    cards = [find_price(provider, model.id, NOON, {}).card for provider, model in MODELS]
    fast = [card for card in cards if NEVER not in linear(card).levels]
    assert len(fast) == len(cards)
