"""What is kept of a refused call is what it used and whose it was, never what was said, wherever that was put."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import ArgumentError, CostTracker, LLMResponse, Usage, attribution
from tracking.errors import UsageError
from tracking.journal.kept_parts import answer_part, attribution_part, reason_part

SAID = "canary: what a pupil wrote"
WORD = "canary-7c1f"
COUNTS = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}
CALL: dict[str, Any] = {"user": "ann", "trackable": ("Essay", 1), "request_type": "generate_rubric", "prompt": SAID}


def refusals(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted((home / "quarantine").iterdir()) for line in file.open()]


said_somehow = st.sampled_from([SAID, WORD, [SAID], {"content": SAID}, {"role": "user", "content": [{"text": WORD}]}])
names = st.sampled_from(["messages", "choices", "output", "input", "content", "text", "arguments", "embedding", SAID])


@given(beside=st.dictionaries(names, said_somehow, max_size=4), within=st.dictionaries(names, said_somehow, max_size=4))
def test_nothing_that_was_said_is_kept_of_an_answer(beside: dict[str, Any], within: dict[str, Any]) -> None:
    part = answer_part({**beside, "model": "gpt-4o", "id": "chatcmpl-1", "usage": {**COUNTS, **within}})
    assert part == {"model": "gpt-4o", "id": "chatcmpl-1", "usage": COUNTS}


@pytest.mark.parametrize("name", ["id", "model", "created", "service_tier", "status", "type", "modelVersion"])
def test_a_field_that_holds_one_word_is_not_kept_where_it_holds_many(name: str) -> None:
    part = answer_part({"usage": COUNTS, name: SAID * 3})
    assert part == {"usage": COUNTS}


def test_lists_of_numbers_are_what_was_said_too() -> None:
    """Tokens by their numbers, probabilities, embeddings."""
    part = answer_part({"usage": {**COUNTS, "ids": [1, 2], "promptTokensDetails": [{"modality": "TEXT", "n": 1}, 5]}})
    assert part == {"usage": {**COUNTS, "promptTokensDetails": [{"modality": "TEXT", "n": 1}]}}


deep = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.binary() | st.just(SAID),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(answer=st.dictionaries(st.sampled_from(["usage", "usageMetadata", "meta", "id", "model", "response"]), deep))
@settings(max_examples=200)
def test_whatever_an_answer_holds_what_is_kept_is_small_json_without_a_sentence(answer: dict[str, Any]) -> None:
    written = json.dumps(answer_part(answer), allow_nan=False)
    assert SAID not in written
    assert len(written) < 20_000


def test_what_is_nested_without_end_is_cut_off() -> None:
    usage: dict[str, Any] = {"n": 1}
    for _ in range(5_000):
        usage = {"inner": usage, "n": 2}
    part = answer_part({"usage": usage})
    assert part is not None
    assert json.dumps(part).count("inner") < 10


def test_numbers_nobody_can_have_used_are_not_kept() -> None:
    counts = {"a": 10**5000, "b": float("nan"), "c": Decimal("1e1000000"), "d": Decimal("0.5"), "e": -3}
    assert answer_part({"usage": counts}) == {"usage": {"d": "0.5", "e": -3}}


def test_an_object_that_fails_in_its_own_way_is_nothing() -> None:
    class Detached:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(SAID)

    assert answer_part(Detached()) is None
    assert answer_part({"usage": Detached()}) is None


def test_an_answer_within_a_batch_is_kept_as_it_was_read() -> None:
    line = {"custom_id": "a", "response": {"status_code": 200, "body": {"model": "gpt-4o", "usage": COUNTS}}}
    part = answer_part(line, "openai")
    assert part is not None
    assert part["price_context"] == {"processing": "batch"}
    assert (part["provider"], part["model"], part["usage"]["input_tokens"]) == ("openai", "gpt-4o", 12)


def test_of_an_answer_read_before_everything_its_price_depends_on_is_kept() -> None:
    answer = LLMResponse(
        provider="openai",
        model="gpt-4o",
        usage=Usage(input_tokens=5, other_units={"web_searches": 1}),
        created=datetime(2026, 11, 2, tzinfo=UTC),
        service_tier="flex",
        status="partial",
        estimated=True,
        provider_cost=Decimal("0.000001"),
        finish_reason=SAID,
    )
    assert answer_part(answer) == {
        "provider": "openai",
        "model": "gpt-4o",
        "id": None,
        "usage": {"input_tokens": 5, "web_searches": "1"},
        "created": "2026-11-02T00:00:00+00:00",
        "service_tier": "flex",
        "status": "partial",
        "provider_cost": "0.000001",
        "estimated": True,
        "price_context": {"service_tier": "flex"},
        "assumptions": [{"tokens_from_text": "output"}],
    }


def test_every_given_attribution_is_kept(home: Path) -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    around = attribution(tenant="north", tags={"course": "bio", "term": 2, "essay": SAID * 9})
    with CostTracker(home) as tracker, around, pytest.raises(ArgumentError):
        tracker.record(
            llm_response={"model": "gpt-4o", "usage": COUNTS},
            **CALL | {"request_type": "nonesuch"},
            trackable_parent=("Course", "b7"),
            trace_id="trace-1",
            provider="openai",
            latency_ms=12,
            attempt=2,
            occurred_at=at,
        )
    (kept,) = refusals(home)
    names = ("user", "trackable", "trackable_parent", "request_type", "tenant", "tags", "trace_id", "provider")
    assert [kept[name] for name in (*names, "latency_ms", "attempt", "occurred_at")] == [
        *("ann", "Essay:1", "Course:b7", "nonesuch", "north", {"course": "bio", "term": 2}, "trace-1", "openai"),
        *(12, 2, "2026-11-20 00:00:00+00:00"),
    ]
    assert SAID not in json.dumps(kept)


def test_an_attribution_that_is_none_is_not_kept() -> None:
    arguments = {"user": "x" * 300, "trackable": ("Essay", SAID * 20), "request_type": SAID}
    part = attribution_part(arguments, {"trace_id": SAID, "tags": {"a": {"b": SAID}}, "tenant": "a\nb"})
    assert part == {"user": None, "trackable": None, "request_type": None, "occurred_at": None}


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        (f"usage.prompt_tokens ({SAID!r}) is a str, not a number", "usage.prompt_tokens ('…') is a str, not a number"),
        (f"usage.n ({WORD!r}) is a str", "usage.n ('…') is a str"),
        ("model 'gpt-9' of provider 'openai'; it's \"new\"", "model 'gpt-9' of provider 'openai'; it's \"new\""),
        ("n ('it\\'s what \"she\" wrote') is a str", "n ('…') is a str"),
    ],
)
def test_a_reason_repeats_names_and_nothing_that_was_said(reason: str, kept: str) -> None:
    answer = {"model": "gpt-9", "usage": {"n": WORD, "prompt_tokens": SAID}}
    assert reason_part(UsageError(reason), answer) == kept


def test_a_refused_count_that_is_a_text_is_told_and_kept_without_it(home: Path) -> None:
    answer = {"model": "gpt-4o", "usage": {"prompt_tokens": WORD, "completion_tokens": 3}}
    with CostTracker(home) as tracker, pytest.raises(UsageError):
        tracker.record(llm_response=answer, provider="openai", **CALL)
    (kept,) = refusals(home)
    assert kept["answer"]["usage"] == {"completion_tokens": 3}
    assert "canary" not in json.dumps(kept)
