"""What a frame may hold besides good calls: rows without a cost, columns of other types, and what is refused."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from catalogued import NOON
from frames import NEW, SCHEMA, frame_of, row

from tracking import ArgumentError, CostCalculator, UnknownModelError
from tracking.usage import MAX_COUNT


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


def test_an_empty_frame_keeps_its_columns_and_gains_ours() -> None:
    for frame in (frame_of([]), frame_of([]).lazy()):
        priced = CostCalculator().cost_frame(frame, suffix="_new").lazy().collect()
        assert priced.height == 0
        assert priced.columns == [*SCHEMA, *(f"{name}_new" for name in NEW)]
        assert priced.schema["cost_usd_new"] == pl.Decimal(18, 12)


def test_without_polars_the_error_names_the_extra() -> None:
    script = (
        "import sys; sys.modules['polars'] = None\n"
        "from tracking import CostCalculator\n"
        "try: CostCalculator().cost_frame(None)\n"
        "except ModuleNotFoundError as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "llm-cost-ledger[warehouse]" in told
