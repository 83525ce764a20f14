"""Whatever comes to the door of `record()`: a row, or an error that is documented, and what was paid is kept."""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journals import JournalReader
from provider_answers import CHAT
from pydantic import ValidationError

from tracking import (
    ArgumentError,
    CostCalculator,
    CostTracker,
    LedgerError,
    LLMResponse,
    RefusedCallsError,
    ResponseError,
    UnknownModelError,
    Usage,
    UsageError,
)
from tracking.usage import known_units

DOCUMENTED = (ArgumentError, ResponseError, UsageError, UnknownModelError, ValidationError, LedgerError)


class Raising:
    """An object whose own code fails, whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError("said of a prompt")

    def __str__(self) -> str:
        raise ZeroDivisionError("said of a prompt")

    __repr__ = __str__


class RaisingId:
    @property
    def id(self) -> int:
        raise ZeroDivisionError


class RaisingText(str):
    def strip(self, *_: Any) -> str:
        raise ZeroDivisionError

    __str__ = __repr__ = encode = strip  # type: ignore[assignment]


class RaisingMapping(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise ZeroDivisionError

    def __iter__(self) -> Iterator[str]:
        raise ZeroDivisionError

    def __len__(self) -> int:
        raise ZeroDivisionError


class RaisingNumber(int):
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __index__ = __int__ = __str__  # type: ignore[assignment]


def nested(depth: int) -> Any:
    inner: Any = 1
    for _ in range(depth):
        inner = {"a": inner}
    return inner


CYCLE: dict[str, Any] = {}
CYCLE["a"] = [CYCLE]
EARLY, LATE = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
TEXTS = ["a\ud800b", "\udfff", "a\0b", "a\x1b[31mb", "a\nb", "\x85", "", " ", "x" * 1_000_000, "é\u2028", "None"]
NUMBERS: list[Any] = [
    *(10**5000, -(10**5000), -1, 2**63, True, 1.5, float("nan"), float("inf"), -0.0, 1e308, RaisingNumber(7)),
    *(Decimal("1e1000000"), Decimal("-1e1000000"), Decimal("1e-1000000"), Decimal("NaN"), Decimal("sNaN")),
]
INSTANTS = [
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=EARLY),
    datetime.max.replace(tzinfo=LATE),
    datetime(2026, 1, 1),  # noqa: DTZ001
]
OBJECTS: list[Any] = [
    *(Raising(), RaisingId(), RaisingText("abc"), RaisingMapping(), object(), b"bytes", 1j, int, len),
    *(CYCLE, [CYCLE], nested(5), nested(974), nested(3000), [], {}, (), {1: 2}, {"a\ud800": "\ud800"}, {"k": "a\0"}),
]
HOSTILE = st.sampled_from([*TEXTS, *NUMBERS, *INSTANTS, *OBJECTS])
ARGUMENTS = ("user", "trackable", "request_type", "prompt", "occurred_at", "status", "latency_ms", "ttft_ms", "attempt")
OPTIONS = ("retry_of", "trackable_parent", "tenant", "tags", "trace_id", "idempotency_key", "provider", "model")
PARTS = ("id", "model", "usage", "choices", "created", "created_at", "service_tier", "object", "system_fingerprint")
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "cost")
GIVEN = {"user": 1, "trackable": ("A", 1), "request_type": "generate_rubric", "prompt": "a secret prompt"}


@given(
    arguments=st.dictionaries(st.sampled_from([*ARGUMENTS, *OPTIONS]), HOSTILE, max_size=2),
    parts=st.dictionaries(st.sampled_from(PARTS), HOSTILE, max_size=1),
    counts=st.dictionaries(st.sampled_from(COUNTS), HOSTILE | st.integers(), max_size=1),
    pair=st.none() | HOSTILE,
    whole=st.none() | HOSTILE,
)
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
def test_whatever_is_given_only_documented_errors_come_and_what_was_paid_is_kept(
    tmp_path_factory: pytest.TempPathFactory,
    journal_records: JournalReader,
    arguments: dict[str, Any],
    parts: dict[str, Any],
    counts: dict[str, Any],
    pair: Any,
    whole: Any,
) -> None:
    home = tmp_path_factory.mktemp("hostile") / "home"
    answer: Any = {**CHAT, **parts}
    if counts and isinstance(answer["usage"], dict):
        answer["usage"] = {**answer["usage"], **counts}
    given = {**GIVEN, **arguments, "llm_response": answer if whole is None else whole}
    if pair is not None:
        given |= {"trackable": ("Assignment", pair), "tags": {"key": pair}}
    with CostTracker(home, durability="process", on_unknown_model="record") as tracker:
        try:
            recorded = tracker.record(**given)
        except DOCUMENTED as error:
            told = str(error)
            assert len(told) < 2000
            assert "secret" not in told
            assert told.isprintable() or isinstance(error, ValidationError)
            assert journal_records(home) == []
            kept = [line for file in (home / "quarantine").iterdir() for line in file.read_text().splitlines()]
            assert len(kept) == 1
            assert "secret" not in kept[0]
        else:
            (row,) = journal_records(home)
            assert row["record_id"] == recorded.record_id
            assert list((home / "quarantine").iterdir()) == []
        with_refused = [{**GIVEN, "llm_response": CHAT}, given]
        try:
            assert len(tracker.record_many(with_refused)) == 2
        except RefusedCallsError as error:
            assert isinstance(next(iter(error.errors.values())), DOCUMENTED)
            assert "secret" not in str(error)


@pytest.mark.parametrize("text", ["teacher\0", "teacher\n", "\x1b[2J", "a\x85", "\udc80"])
@pytest.mark.parametrize("argument", ["user", "tenant", "trace_id", "retry_of", "idempotency_key", "trackable_parent"])
def test_a_text_nobody_could_search_for_is_refused_by_name_and_place(home: Path, argument: str, text: str) -> None:
    value: Any = ("Course", text) if argument == "trackable_parent" else text
    with CostTracker(home) as tracker, pytest.raises(ArgumentError, match=rf"{argument} holds .* \(U\+") as refusal:
        tracker.record(**{**GIVEN, "llm_response": CHAT, argument: value})
    assert refusal.value.argument == argument


@pytest.mark.parametrize("part", ["id", "service_tier", "finish_reason", "model"])
def test_a_text_of_an_answer_that_is_none_is_refused_by_name_and_its_usage_kept(home: Path, part: str) -> None:
    choices = [{"finish_reason": "stop\ud800"}] if part == "finish_reason" else CHAT["choices"]
    answer = {**CHAT, "choices": choices} | ({} if part == "finish_reason" else {part: "gpt-4o\ud800"})
    with CostTracker(home) as tracker, pytest.raises(ResponseError, match=rf"{part} of the answer .*U\+D800"):
        tracker.record(**GIVEN, llm_response=answer, provider="openai")
    (entry,) = [json.loads(line) for file in (home / "quarantine").iterdir() for line in file.open()]
    assert entry["answer"]["usage"] == CHAT["usage"]


@pytest.mark.parametrize("instant", INSTANTS)
def test_an_instant_no_call_was_made_at_is_refused(home: Path, instant: datetime) -> None:
    with CostTracker(home) as tracker, pytest.raises(ArgumentError, match="occurred_at"):
        tracker.record(**GIVEN, llm_response=CHAT, occurred_at=instant)
    if instant.tzinfo is not UTC:
        with pytest.raises(ArgumentError, match="at "):
            CostCalculator().cost_of(model="gpt-4o", input_tokens=1, at=instant)


def test_numbers_of_numpy_are_numbers(home: Path) -> None:
    np = pytest.importorskip("numpy")
    usage = {"prompt_tokens": np.int64(10), "completion_tokens": np.uint8(5), "total_tokens": np.float64(15)}
    given = GIVEN | {"user": np.int32(7), "trackable": ("A", np.int64(8))}
    with CostTracker(home) as tracker:
        record = tracker.record(
            llm_response={**CHAT, "usage": usage},
            latency_ms=np.int64(12),
            attempt=np.int16(2),
            tags={"group": np.int64(3)},
            tenant=np.uint64(9),
            **given,
        )
    assert (record.input_tokens, record.output_tokens, record.latency_ms, record.attempt) == (10, 5, 12, 2)
    assert (record.user_id, record.trackable_id, record.tenant, record.tags) == ("7", "8", "9", '{"group": 3}')
    assert CostCalculator().cost_of(model="gpt-4o", input_tokens=np.int64(10)).usd == Decimal("0.000025")
    assert Usage(other_units={"audio_seconds": np.float32(1.1)}).other_units == {"audio_seconds": Decimal("1.1")}


@pytest.mark.parametrize(
    ("name", "nearest"), [("input_token", "input_tokens"), ("web_search", "web_searches"), ("cached_tokens", None)]
)
def test_a_count_of_an_unknown_name_is_refused_with_the_nearest_wherever_it_is_given(
    name: str, nearest: str | None
) -> None:
    words = rf"{name} is no count or unit known here" + (f"; did you mean {nearest}" if nearest else "")
    with pytest.raises(ArgumentError, match=words):
        CostCalculator().cost_of(model="gpt-4o", **{name: 1000})
    with pytest.raises(ArgumentError, match=words):
        Usage(other_units={name: 1000})
    with pytest.raises(ArgumentError, match=f"usage has no count named {name!r}"):
        LLMResponse(provider="openai", model="gpt-4o", usage={name: 1000})  # type: ignore[arg-type]


def test_a_frame_says_of_a_unit_of_an_unknown_name_which_is_nearest() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {"provider": ["openai"], "model": ["gpt-4o"], "input_tokens": [1], "other_units": ['{"web_search": 3}']}
    )
    (row,) = CostCalculator().cost_frame(frame).to_dicts()
    assert (row["cost_usd"], row["pricing_status"]) == (None, "unpriced")
    assert "web_search is no count or unit known here; did you mean web_searches?" in row["unpriced_reason"]


def test_every_unit_that_answers_are_read_into_is_known() -> None:
    from tracking.answers.shapes.everyones import TABLES

    assert {count.unit for table in TABLES for count in table.counts} - {"reasoning_tokens"} <= known_units()


def test_an_error_shows_a_value_in_short_whatever_it_is() -> None:
    for value in (10**5000, "x" * 10**6, Decimal("1e1000000"), Raising(), nested(3000)):
        with pytest.raises(UsageError) as refusal:
            Usage(input_tokens=value)  # type: ignore[arg-type]
        assert len(str(refusal.value)) < 200
    assert sys.get_int_max_str_digits() == 4300
