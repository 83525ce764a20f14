"""`cost_frame` against the calculator itself, row for row: the same to the last digit, or wrong."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from catalogued import MICROSECOND, NOON, instants_around_every_change, tier_starts
from genai_prices.data import providers
from genai_prices.types import ModelInfo
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import ArgumentError, CostCalculator, LLMResponse, UnknownModelError, Usage
from tracking.assumptions import assumptions_json
from tracking.errors import CostTrackingError
from tracking.pricing.linear_rates import NEVER, linear
from tracking.pricing.rate_card import Rate, RateCard
from tracking.pricing.sources.catalogue import find_price
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.usage import MAX_COUNT, TOKEN_COUNTS

MODELS = [
    (provider.id, model)
    for provider in providers
    for model in provider.models
    if provider.find_model(model.id) is model  # some ids are no name a provider answers under
]
SCHEMA = {
    "provider": pl.String(),
    "model": pl.String(),
    "service_tier": pl.String(),
    "price_context": pl.String(),
    "region": pl.String(),
    "occurred_at": pl.Datetime("us", "UTC"),
    **{name: pl.Int64() for name in TOKEN_COUNTS},
    "other_units": pl.String(),
}
SAID = ("cost_usd", "micro_usd", "pricing_status", "price_id", "price_assumptions")
NEW = (
    *("cost_usd", "micro_usd", "pricing_status", "price_assumptions", "price_id", "llm", "llm_family"),
    "unpriced_reason",
)

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


def row(provider: Any = "openai", model: Any = "gpt-4o", at: Any = NOON, **fields: Any) -> dict[str, Any]:
    return dict.fromkeys(SCHEMA) | {"provider": provider, "model": model, "occurred_at": at} | fields


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, SCHEMA, orient="row")


def by_row(row: dict[str, Any], calculator: CostCalculator) -> tuple[Any, ...]:
    """What the calculator itself says of a row: money, status and price, all unknown where it refuses."""
    units = json.loads(row["other_units"], parse_float=Decimal) if row["other_units"] else {}
    try:
        context = json.loads(row["price_context"] or "{}")
        if not isinstance(context, dict):
            raise CostTrackingError("not a mapping")
        usage = Usage(**{name: row[name] for name in TOKEN_COUNTS}, other_units=units)
        response = LLMResponse(
            provider=row["provider"],
            model=row["model"],
            usage=usage,
            service_tier=row["service_tier"],
            price_context=context,
            region=row["region"],
        )
        cost = calculator.cost(response, at=row["occurred_at"])
    except CostTrackingError:
        return (None, None, "unpriced", None, None)
    if cost.cost_usd is not None and cost.cost_usd >= 1_000_000:
        return (None, None, "unpriced", None, None)
    return (cost.cost_usd, cost.micro_usd, cost.pricing_status, cost.price_id, assumptions_json(cost.assumptions))


def assert_same_as_by_row(frame: pl.DataFrame, calculator: CostCalculator, **what_if: Any) -> pl.DataFrame:
    priced = calculator.cost_frame(frame, **what_if)
    assert priced.select(frame.columns).equals(frame)
    assert priced.columns == [*frame.columns, *NEW]
    asked = {name: value for name, value in what_if.items() if name in ("provider", "model", "service_tier")}
    asked |= {"price_context": None} if "service_tier" in asked else {}
    asked |= {"region": None} if "provider" in asked or "model" in asked else {}
    for given_row, costs in zip(frame.to_dicts(), priced.select(SAID).iter_rows(), strict=True):
        assert costs == by_row(given_row | asked, calculator), given_row
    reasons = priced.filter(pl.col("cost_usd").is_null() != pl.col("unpriced_reason").is_not_null())
    assert reasons.is_empty(), "a row without cost says why, and no other row does"
    return priced


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


def test_contradictory_counts_have_no_cost_and_say_why() -> None:
    rows = [
        row(input_tokens=3, cache_read_tokens=5),
        row(input_tokens=100, output_tokens=10),
        row(cache_read_tokens=5),
        row(input_tokens=-1),
        row(input_tokens=MAX_COUNT, output_tokens=MAX_COUNT),
        row(other_units="[1]"),
        row(other_units='{"web_searches":true}'),
        row("openai", "gpt-4p"),
        row(None),
    ]
    priced = CostCalculator().cost_frame(frame_of(rows))
    assert priced["cost_usd"].is_null().to_list() == [True, False, *[True] * 7]
    assert priced["price_id"].is_null().to_list() == [True, False, *[True] * 7]
    reasons = priced["unpriced_reason"].to_list()
    assert reasons[0] == "cache_read_tokens (5) exceeds input_tokens (3)"
    assert reasons[1] is None
    assert reasons[2] == "cache_read_tokens (5) given without input_tokens"
    assert reasons[3] == "input_tokens (-1) is negative"
    assert "DECIMAL(18,12)" in reasons[4]
    assert reasons[5] == "other_units is not the JSON of a mapping"
    assert "web_searches" in reasons[6]
    assert "gpt-4p" in reasons[7] and "nearest known" in reasons[7]
    assert reasons[8] == "provider is missing or blank"
    assert priced["llm"].to_list()[7:] == ["gpt-4p", "gpt-4o"]


def test_rows_of_a_ledger_that_are_no_answer_have_no_cost() -> None:
    rows = pl.DataFrame(
        {
            "provider": "openai",
            "model": "gpt-4o",
            "input_tokens": [-100, None, 100, 100, 0],
            "charge_class": ["correction", "usage", "usage", "usage", None],
            "status": ["ok", "error", "error", "partial", None],
            "pricing_status": ["priced", "unpriced", "priced", "estimated", "unpriced"],
        }
    )
    priced = CostCalculator().cost_frame(rows)
    assert priced["pricing_status"].to_list() == ["unpriced", "unpriced", "priced", "estimated", "priced"]
    assert priced["cost_usd"].to_list() == [None, None, Decimal("0.00025"), Decimal("0.00025"), Decimal(0)]
    assert priced["unpriced_reason"].is_null().to_list() == [False, False, True, True, True]


def test_a_row_recorded_from_a_batch_is_priced_as_batch_and_as_if_it_had_not_been() -> None:
    rows = frame_of([row("openai", "gpt-4o", input_tokens=1000, price_context='{"processing":"batch"}')] * 2)
    assert assert_same_as_by_row(rows, CostCalculator())["cost_usd"].to_list() == [Decimal("0.00125")] * 2
    standard = assert_same_as_by_row(rows, CostCalculator(), service_tier="default")
    assert standard["cost_usd"].to_list() == [Decimal("0.0025")] * 2
    as_batch = CostCalculator().cost_frame(frame_of([row(input_tokens=1000)]), service_tier="batch")
    assert as_batch["cost_usd"].to_list() == [Decimal("0.00125")]


def test_columns_of_other_types_mean_the_same() -> None:
    plain = frame_of([row(input_tokens=1000, cache_read_tokens=10, output_tokens=5), row(input_tokens=7)])
    other = plain.with_columns(
        pl.col("provider").cast(pl.Categorical),
        pl.col("model").cast(pl.Enum(["gpt-4o"])),
        pl.col("occurred_at").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns"),
        pl.col("input_tokens").cast(pl.Float64),
        pl.col("cache_read_tokens").cast(pl.UInt64),
        pl.col("output_tokens").cast(pl.Decimal(20, 2)),
        pl.col("reasoning_tokens").cast(pl.Null),
    )
    costs = [CostCalculator().cost_frame(frame).select(NEW) for frame in (plain, other)]
    assert costs[0].equals(costs[1])


def test_counts_that_are_no_whole_numbers_of_64_bits_have_no_cost() -> None:
    frame = pl.DataFrame({"provider": "openai", "model": "gpt-4o", "input_tokens": [1.5, 2.0, float("nan"), 1e30]})
    reasons = CostCalculator().cost_frame(frame)["unpriced_reason"].to_list()
    assert reasons == [
        "input_tokens (1.5) is not a whole number",
        None,
        "input_tokens (nan) is not a finite number",
        f"input_tokens (1e+30) is larger than {MAX_COUNT}",
    ]
    unsigned = pl.DataFrame(
        {"provider": "openai", "model": "gpt-4o", "input_tokens": [2**63, 1]},
        {"input_tokens": pl.UInt64} | {"provider": pl.String, "model": pl.String},
    )
    assert CostCalculator().cost_frame(unsigned)["pricing_status"].to_list() == ["unpriced", "priced"]


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"model": ["gpt-4o"], "input_tokens": [1]}, "'provider'"),
        ({"provider": ["openai"], "input_tokens": [1]}, "'model'"),
        ({"provider": ["openai"], "model": ["gpt-4o"]}, "input_tokens"),
        ({"provider": ["openai"], "model": ["gpt-4o"], "input_tokens": ["1"]}, "'input_tokens' of type String"),
        ({"provider": ["openai"], "model": ["gpt-4o"], "input_tokens": [True]}, "'input_tokens' of type Boolean"),
        ({"provider": [1], "model": ["gpt-4o"], "input_tokens": [1]}, "'provider' of type Int64"),
        (
            {
                "provider": ["openai"],
                "model": ["gpt-4o"],
                "input_tokens": [1],
                "occurred_at": [NOON.replace(tzinfo=None)],
            },
            "time zone",
        ),
    ],
)
def test_a_frame_that_cannot_be_priced_is_refused_before_anything_is_read(columns: Any, named: str) -> None:
    for frame in (pl.DataFrame(columns), pl.LazyFrame(columns)):
        with pytest.raises(ArgumentError, match=named):
            CostCalculator().cost_frame(frame)


@pytest.mark.parametrize("percent", [0.1, True, "ten", "NaN", -1, 101, "1e9"])
def test_a_discount_that_is_no_exact_percentage_is_refused(percent: Any) -> None:
    with pytest.raises(ArgumentError, match="discount_percent"):
        CostCalculator().cost_frame(frame_of([]), discount_percent=percent)


def test_an_unknown_what_if_model_is_an_error_and_not_a_column_of_nulls() -> None:
    frame = frame_of([row(input_tokens=1)])
    with pytest.raises(UnknownModelError, match="gpt-5-mini"):
        CostCalculator().cost_frame(frame, provider="openai", model="gpt-5-minni")
    with pytest.raises(UnknownModelError):
        CostCalculator().cost_frame(frame, model="entirely-unheard-of")


def test_own_models_of_another_time_are_known(own_prices: CostCalculator) -> None:
    frame = frame_of([row(at=datetime(2026, 7, 1, tzinfo=UTC), input_tokens=1000)])
    priced = own_prices.cost_frame(frame, provider="self-hosted", model="llama-own")
    assert priced["llm"].to_list() == ["llama-own"]
    assert priced["cost_usd"].to_list() == [Decimal("0.000123456789")]


def test_an_empty_frame_keeps_its_columns_and_gains_ours() -> None:
    for frame in (frame_of([]), frame_of([]).lazy()):
        priced = CostCalculator().cost_frame(frame, suffix="_new").lazy().collect()
        assert priced.height == 0
        assert priced.columns == [*SCHEMA, *(f"{name}_new" for name in NEW)]
        assert priced.schema["cost_usd_new"] == pl.Decimal(18, 12)


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


def test_without_polars_the_error_names_the_extra() -> None:
    script = (
        "import sys; sys.modules['polars'] = None\n"
        "from tracking import CostCalculator\n"
        "try: CostCalculator().cost_frame(None)\n"
        "except ModuleNotFoundError as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "llm-cost-ledger[warehouse]" in told
