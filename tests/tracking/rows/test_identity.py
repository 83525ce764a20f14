"""One billable event is one row; what is no id identifies nothing."""

import time
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import ArgumentError, CostTracker, LLMResponse, LLMUsageRecord, Usage
from tracking.providers import provider_named
from tracking.rows.identity import event_key_of, record_id_of, uuid7


def record(tracker: CostTracker, *, usage: dict[str, Any] | None = None, **fields: Any) -> LLMUsageRecord:
    options = {name: fields.pop(name) for name in ("idempotency_key", "status") if name in fields}
    response = LLMResponse(
        **{"provider": "openai", "model": "gpt-4o", "id": "r-1"} | fields,
        usage=Usage(**(usage or {"input_tokens": 10, "output_tokens": 5})),
    )
    return tracker.record(
        llm_response=response,
        trackable=("Assignment", 1),
        user=1,
        request_type="generate_rubric",
        prompt="p",
        **options,
    )


def test_the_same_answer_recorded_twice_is_one_row(tracker: CostTracker) -> None:
    first, again = record(tracker), record(tracker)
    assert (first.record_id, first.event_key) == (again.record_id, again.event_key)


@pytest.mark.parametrize(
    "other",
    [
        {"usage": {"input_tokens": 10, "output_tokens": 6}},
        {"usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 0}},
        {"usage": {"input_tokens": 10, "output_tokens": 5, "other_units": {"web_searches": 1}}},
    ],
)
def test_a_reused_id_with_other_usage_is_another_row_of_the_same_event(
    tracker: CostTracker, other: dict[str, Any]
) -> None:
    first, second = record(tracker), record(tracker, **other)
    assert first.event_key == second.event_key
    assert first.record_id != second.record_id


def test_another_id_or_another_provider_is_another_event(tracker: CostTracker) -> None:
    events = {record(tracker, **other).event_key for other in ({}, {"id": "r-2"}, {"provider": "azure"})}
    assert len(events) == 3


@pytest.mark.parametrize("no_id", [None, "", "  ", "None", "null", "NULL", 5])
def test_what_is_no_id_never_makes_two_calls_one(tracker: CostTracker, no_id: Any) -> None:
    first, second = record(tracker, id=no_id), record(tracker, id=no_id)
    assert (first.event_key, second.event_key) == (None, None)
    assert first.record_id != second.record_id
    assert UUID(first.record_id).version == UUID(second.record_id).version == 7
    assert first.provider_response_id is None


def test_an_idempotency_key_names_the_event(tracker: CostTracker) -> None:
    keyed = [record(tracker, id=identity, idempotency_key="job-7").record_id for identity in (None, None, "r-9")]
    assert len(set(keyed)) == 1
    assert record(tracker, id=None, idempotency_key="job-8").record_id not in keyed


@pytest.mark.parametrize("key", ["", "  ", 1.5, True])
def test_a_key_that_is_blank_or_no_key_is_refused(tracker: CostTracker, key: Any) -> None:
    with pytest.raises(ArgumentError, match="idempotency_key"):
        record(tracker, idempotency_key=key)


def test_a_key_that_was_none_once_is_no_key(tracker: CostTracker) -> None:
    assert record(tracker, id=None, idempotency_key="None").event_key is None


PARTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda text: text.strip().lower() not in ("", "none", "null")
)


@given(st.tuples(PARTS, PARTS), st.tuples(PARTS, PARTS))
def test_events_collide_only_where_provider_and_id_are_equal(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = [
        event_key_of(LLMResponse(provider=provider, model=None, id=identity, usage=Usage()), None)
        for provider, identity in (one, other)
        if provider.strip()
    ]
    if len(keys) == 2:
        assert (keys[0] == keys[1]) == ((provider_named(one[0]), one[1]) == (provider_named(other[0]), other[1]))


def test_an_id_that_is_no_valid_unicode_still_makes_a_key() -> None:
    response = LLMResponse(provider="openai", model=None, id="\ud800", usage=Usage())
    assert event_key_of(response, None) != event_key_of(response, "other")


def test_the_row_depends_on_event_usage_and_status() -> None:
    first = record_id_of("k", Usage(input_tokens=1), None, "ok")
    assert first == record_id_of("k", Usage(input_tokens=1), None, "ok")
    others = [("k", 2, "ok"), ("other", 1, "ok"), ("k", 1, "partial")]
    assert first not in {record_id_of(key, Usage(input_tokens=count), None, status) for key, count, status in others}


def test_uuid7_has_its_version_its_variant_and_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid7() for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert len(set(made)) == 1000
    for value in made:
        assert value.version == 7
        assert value.variant == "specified in RFC 4122"
        assert before <= value.int >> 80 <= after
    time.sleep(0.002)
    assert uuid7() > max(made)
