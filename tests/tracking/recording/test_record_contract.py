"""What `record()` promises of a good call: one row, of whatever may be told about it."""

import enum
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from good_call import UNKNOWN, Assignment, JournalReader, User, arguments
from provider_answers import ANTHROPIC, CHAT, CONVERSE, SHAPES

from tracking import ArgumentError, CostTracker, LLMResponse, RequestType, TrackableRef, UsageError


def test_a_recorded_call_is_one_row_and_the_row_is_returned(
    tracker: CostTracker, home: Path, journal_records: JournalReader
) -> None:
    assignment, user, prompt = Assignment(42), User("teacher-1"), [{"role": "user", "content": "Make a rubric"}]
    record = tracker.record(
        llm_response=CHAT,
        trackable=assignment,
        user=user,
        request_type="generate_rubric",
        prompt=prompt,
        occurred_at=datetime(2026, 11, 20, 4, tzinfo=timezone(timedelta(hours=-8))),
        latency_ms=1200,
        ttft_ms=300,
        attempt=2,
        retry_of="r0",
        trackable_parent=("Course", 7),
        tenant="school-1",
        tags={"experiment": "b"},
        trace_id="t1",
    )
    assert (record.user, record.trackable, record.prompt) == (user, assignment, prompt)
    assert record.user is user
    assert (record.user_id, record.trackable_type, record.trackable_id) == ("teacher-1", "Assignment", "42")
    assert (record.trackable_parent_type, record.trackable_parent_id) == ("Course", "7")
    assert (record.tenant, record.tags, record.trace_id) == ("school-1", '{"experiment": "b"}', "t1")
    assert (record.latency_ms, record.ttft_ms, record.attempt, record.retry_of) == (1200, 300, 2, "r0")
    assert record.occurred_at == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert (record.input_tokens, record.output_tokens, record.token_count) == (1200, 80, 1280)
    assert record.cost_usd == Decimal("0.002520000000")  # (176 * 2.5 + 1024 * 1.25 + 80 * 10) / 1e6
    assert (record.micro_usd, record.dollars) == (2520, Decimal("0.00252"))
    assert (record.llm, record.llm_family, record.provider) == ("gpt-4o", "gpt", "openai")
    assert (record.model, record.provider_response_id) == ("gpt-4o-2024-08-06", "chatcmpl-1")
    (row,) = journal_records(home)
    assert row.pop("prompt") == json.dumps(prompt, sort_keys=True)
    assert row == json.loads(record.model_dump_json())


@pytest.mark.parametrize("prompt", [[], {}, ()])
def test_a_prompt_of_no_messages_is_blank(tracker: CostTracker, prompt: object) -> None:
    with pytest.raises(ArgumentError, match="prompt is blank"):
        tracker.record(**arguments(prompt=prompt))


@pytest.mark.parametrize("prompt", ["null", "{}", "[]", "0", '"'])
def test_a_prompt_that_looks_like_empty_json_is_a_prompt(
    tracker: CostTracker, home: Path, prompt: str, journal_records: JournalReader
) -> None:
    tracker.record(**arguments(prompt=prompt))
    assert journal_records(home)[0]["prompt"] == prompt


@pytest.mark.parametrize(
    "prompt",
    [
        [{"role": "user", "content": b"\x89PNG"}],
        [Assignment(1)],
        {"messages": [{"content": {1, 2}}]},
        ("system", "user"),
        "\ud800 lone surrogate",
        [float("nan")],
    ],
)
def test_any_prompt_that_can_be_text_is_taken(tracker: CostTracker, prompt: object) -> None:
    record = tracker.record(**arguments(prompt=prompt))
    assert record.prompt_chars
    assert record.prompt is prompt


def test_an_unknown_model_may_be_recorded_unpriced(home: Path, journal_records: JournalReader) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        record = tracker.record(**arguments(llm_response=UNKNOWN))
    assert (record.pricing_status, record.cost_usd, record.micro_usd, record.dollars) == ("unpriced", None, None, None)
    assert (record.llm, record.price_id, record.token_count) == ("gpt-4oo-minni", None, 5)
    assert journal_records(home)[0]["cost_usd"] is None
    assert list((home / "prices").iterdir()) == []


def test_provider_and_model_may_be_given_beside_a_providers_own_answer(tracker: CostTracker) -> None:
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    record = tracker.record(**arguments(llm_response=CONVERSE, provider="aws", model=model))
    assert (record.provider, record.model, record.pricing_status) == ("aws", model, "priced")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_can_be_recorded(home: Path, shape: str, journal_records: JournalReader) -> None:
    provider, model, body, _ = SHAPES[shape]
    response = LLMResponse.from_provider(body, provider=provider, model=model)
    with CostTracker(home, on_unknown_model="record") as tracker:
        try:
            record = tracker.record(**arguments(llm_response=response))
        except UsageError:
            assert "gemini" in shape  # its audio's share of the cached tokens is not told apart
            return
    (row,) = journal_records(home)
    assert row["record_id"] == record.record_id


class TestRequestTypes:
    def test_the_applications_own_enum_declares_its_members(self, tracker: CostTracker) -> None:
        class Work(enum.StrEnum):
            SUMMARISE = "summarise_feedback"

        record = tracker.record(**arguments(request_type=Work.SUMMARISE))
        assert record.request_type == "summarise_feedback"
        assert type(record.request_type) is str

    def test_built_in_ones_are_their_names(self, tracker: CostTracker) -> None:
        assert RequestType.GRADE_STUDENT_WORK == "grade_student_work"
        record = tracker.record(**arguments(request_type=RequestType.GRADE_STUDENT_WORK))
        assert record.request_type == "grade_student_work"

    def test_a_registered_one_is_taken(self, tracker: CostTracker, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(RequestType, "_registered", dict(RequestType._registered))
        assert RequestType.register("translate") is RequestType.register("translate")
        assert tracker.record(**arguments(request_type="translate")).request_type == "translate"

    @pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "a b", "x" * 65, "a\n", None, 5])
    def test_a_name_that_is_none_is_not_registered(self, name: Any) -> None:
        with pytest.raises(ArgumentError, match="request_type"):
            RequestType.register(name)
        assert name not in RequestType.names()

    def test_those_of_the_books_are_taken(self, home: Path) -> None:
        home.mkdir()
        (home / "ledger.toml").write_text('format_version = 1\nrequest_types = ["summarise_feedback"]\n')
        with CostTracker(home) as tracker:
            assert tracker.record(**arguments(request_type="summarise_feedback"))
            with pytest.raises(ArgumentError, match="known: generate_rubric, grade_student_work, summarise_feedback"):
                tracker.record(**arguments(request_type="nonesuch"))


@pytest.mark.parametrize("identity", ["x" * 10_240, 'O\'Brien "Bob"; drop table usage; --', "👩‍🏫", "a b\u2028c\xa0"])
def test_any_text_without_control_characters_may_be_an_id(
    tracker: CostTracker, home: Path, identity: str, journal_records: JournalReader
) -> None:
    tracker.record(**arguments(user=identity, trackable=("Assignment", identity), tenant=identity))
    (row,) = journal_records(home)
    assert (row["user_id"], row["trackable_id"], row["tenant"]) == (identity, identity, identity)


def test_zero_is_a_user_an_id_and_a_tenant(tracker: CostTracker) -> None:
    record = tracker.record(**arguments(user=0, trackable=TrackableRef("Assignment", "0"), tenant=0))  # type: ignore[arg-type]
    assert (record.user_id, record.trackable_id, record.tenant) == ("0", "0", "0")


def test_the_two_cache_lifetimes_have_columns_and_the_rest_stands_in_other_units(tracker: CostTracker) -> None:
    record = tracker.record(**arguments(llm_response=ANTHROPIC))
    assert (record.cache_write_tokens, record.cache_write_1h_tokens, record.cache_read_tokens) == (300, 200, 1000)
    assert json.loads(record.other_units or "") == {"cache_write_5m_tokens": 100, "web_searches": 2}
