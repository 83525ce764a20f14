"""The row: rounded once, exact in money, whole through JSON, refused with names and values."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tracking import LLMUsageRecord, TrackableRef
from tracking.money import to_cost_usd, to_micro_usd

MONEY = st.decimals(0, 999_999, allow_nan=False, allow_infinity=False, places=30)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.integers(0, 10**15).map(lambda micros: AT + timedelta(microseconds=micros))
INSTANTS = st.builds(datetime.astimezone, MOMENTS, ZONES)


def row(**fields: Any) -> dict[str, Any]:
    return {
        "record_id": "r1",
        "occurred_at": AT,
        "recorded_at": AT,
        "user_id": "teacher-1",
        "trackable_type": "Assignment",
        "trackable_id": "42",
        "request_type": "generate_rubric",
        "provider": "openai",
        "pricing_status": "unpriced",
    } | fields


@given(MONEY)
def test_cost_is_rounded_once_half_even_to_twelve_places(usd: Decimal) -> None:
    expected = usd.quantize(Decimal("1e-12"), context=Context(prec=60, rounding=ROUND_HALF_EVEN))
    with localcontext(Context(prec=6, rounding=ROUND_DOWN)):
        assert to_cost_usd(usd) == expected
    assert abs(expected - usd) <= Decimal("5e-13")


@given(MONEY.map(to_cost_usd))
def test_micro_usd_is_cost_rounded_half_even_to_a_millionth(cost_usd: Decimal) -> None:
    expected = int((cost_usd * 1_000_000).to_integral_value(rounding=ROUND_HALF_EVEN))
    with localcontext(Context(prec=6, rounding=ROUND_DOWN)):
        assert to_micro_usd(cost_usd) == expected


@pytest.mark.parametrize(
    ("usd", "cost_usd", "micro_usd"),
    [
        ("0.0000000000005", "0", 0),
        ("0.0000000000015", "0.000000000002", 0),
        ("0.0000005", "0.0000005", 0),
        ("0.0000015", "0.0000015", 2),
        ("0.0000025", "0.0000025", 2),
        ("-0.0000015", "-0.0000015", -2),
        ("999999.999999", "999999.999999", 999_999_999_999),
    ],
)
def test_ties_go_to_the_even_neighbour(usd: str, cost_usd: str, micro_usd: int) -> None:
    assert to_cost_usd(Decimal(usd)) == Decimal(cost_usd)
    assert to_micro_usd(Decimal(cost_usd)) == micro_usd


@st.composite
def records(draw: st.DrawFn) -> LLMUsageRecord:
    count = st.integers(0, 10**9)
    input_tokens, output_tokens = draw(st.none() | count), draw(st.none() | count)
    known = [tokens for tokens in (input_tokens, output_tokens) if tokens is not None]
    cost_usd = draw(st.none() | MONEY.map(to_cost_usd))
    text = TEXT.filter(lambda text: "\0" not in text)
    tags = st.dictionaries(text, st.none() | st.booleans() | st.integers() | text, max_size=3)
    return LLMUsageRecord(
        **row(
            occurred_at=draw(INSTANTS),
            user_id=draw(TEXT),
            trackable_id=draw(TEXT),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=draw(st.none() | st.integers(0, input_tokens)) if input_tokens else None,
            token_count=sum(known) if known else None,
            cost_usd=cost_usd,
            micro_usd=None if cost_usd is None else to_micro_usd(cost_usd),
            pricing_status="unpriced" if cost_usd is None else "priced",
            tags=draw(st.none() | tags),
            stream=draw(st.none() | st.booleans()),
            latency_ms=draw(st.none() | count),
        )
    )


@pytest.mark.filterwarnings("error")
@given(records())
def test_a_record_comes_back_from_json_as_it_was(record: LLMUsageRecord) -> None:
    back = LLMUsageRecord.model_validate_json(record.model_dump_json())
    assert back == record
    assert back.occurred_at.utcoffset() == timedelta(0)
    assert back.dollars == record.cost_usd


@pytest.mark.parametrize(
    ("cost", "shown"), [("0.0000004", "4E-7"), ("0.002520000000", "0.002520"), ("1.5", "1.500000")]
)
def test_dollars_are_the_exact_cost_however_small(cost: str, shown: str) -> None:
    amount = Decimal(cost)
    record = LLMUsageRecord(**row(cost_usd=amount, micro_usd=to_micro_usd(amount), pricing_status="priced"))
    assert (record.dollars, str(record.dollars)) == (amount, shown)


@pytest.mark.parametrize(
    "cost", ["1000000", "1000000.000000000000", "12345678.9", "0.0000000000001", "NaN", "Infinity"]
)
def test_money_that_decimal_18_12_cannot_hold_is_refused(cost: str) -> None:
    with pytest.raises(ValidationError, match="cost_usd"):
        LLMUsageRecord(**row(cost_usd=Decimal(cost), micro_usd=0, pricing_status="priced"))


def test_the_largest_amount_is_held() -> None:
    cost = Decimal("999999.999999999999")
    record = LLMUsageRecord(**row(cost_usd=cost, micro_usd=1_000_000_000_000, pricing_status="priced"))
    assert LLMUsageRecord.model_validate_json(record.model_dump_json()).cost_usd == cost


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input_tokens": -1, "token_count": -1}, ["input_tokens", "-1"]),
        ({"input_tokens": 2**63}, ["input_tokens", str(2**63)]),
        ({"input_tokens": True}, ["input_tokens", "True"]),
        ({"input_tokens": 1.0}, ["input_tokens", "1.0"]),
        ({"input_tokens": 3, "token_count": 3, "cache_read_tokens": 5}, ["cache_read_tokens (5)", "input_tokens (3)"]),
        ({"output_tokens": 3, "token_count": 3, "reasoning_tokens": 5}, ["reasoning_tokens (5)", "output_tokens (3)"]),
        ({"cache_read_tokens": 5}, ["cache_read_tokens (5)", "without input_tokens"]),
        ({"input_tokens": 3, "token_count": 4}, ["token_count (4)", "(3)"]),
        ({"input_tokens": 3}, ["token_count (None)", "(3)"]),
        ({"cost_usd": Decimal(1), "micro_usd": 1, "pricing_status": "priced"}, ["micro_usd (1)", "(1000000)"]),
        ({"cost_usd": Decimal(-1), "micro_usd": -1_000_000, "pricing_status": "priced"}, ["cost_usd (-1)", "negative"]),
        ({"pricing_status": "priced"}, ["cost_usd (None)", "pricing_status (priced)"]),
        ({"cost_usd": Decimal(0), "micro_usd": 0}, ["cost_usd (0)", "pricing_status (unpriced)"]),
        ({"pricing_status": "guessed"}, ["pricing_status", "guessed"]),
        ({"status": "fine"}, ["status", "fine"]),
        ({"occurred_at": AT.replace(tzinfo=None)}, ["occurred_at", "timezone"]),
        ({"attempt": -1}, ["attempt", "-1"]),
        ({"latency_ms": 1.5}, ["latency_ms", "1.5"]),
        ({"corrects_record_id": "r0"}, ["corrects_record_id", "charge_class"]),
        ({"charge_class": "correction"}, ["corrects_record_id is missing"]),
        ({"trackable_parent_type": "Course"}, ["trackable_parent_id"]),
        ({"request_type": "Generate Rubric"}, ["request_type"]),
        ({"user_id": ""}, ["user_id"]),
        ({"unheard_of": 1}, ["unheard_of"]),
        ({"tags": ["a"]}, ["tags"]),
        ({"tags": "no json"}, ["tags"]),
        ({"tags": '["a"]'}, ["tags"]),
        ({"tags": {"when": AT}}, ["tags", "datetime"]),
        ({"tags": {"score": float("nan")}}, ["tags"]),
        ({"tags": {("a", "b"): 1}}, ["tags"]),
    ],
)
def test_an_inconsistent_row_is_refused_by_name_and_value(fields: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        LLMUsageRecord(**row(**fields))
    for word in words:
        assert word in str(refusal.value)


def test_a_correction_may_carry_negative_deltas() -> None:
    correction = LLMUsageRecord(
        **row(
            charge_class="correction",
            corrects_record_id="r0",
            input_tokens=-5,
            token_count=-5,
            cost_usd=Decimal("-0.000001"),
            micro_usd=-1,
            pricing_status="priced",
        )
    )
    assert correction.dollars == Decimal("-0.000001")


def test_a_record_read_back_answers_with_what_the_ledger_knows() -> None:
    record = LLMUsageRecord(**row())
    assert (record.user, record.trackable, record.prompt) == ("teacher-1", TrackableRef("Assignment", "42"), None)
    assert (record.token_count, record.dollars) == (None, None)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        LLMUsageRecord(**row()).user_id = "someone else"  # type: ignore[misc]


def test_tags_are_canonical_json() -> None:
    assert LLMUsageRecord(**row(tags={"b": 1, "a": "é"})).tags == '{"a": "é", "b": 1}'
