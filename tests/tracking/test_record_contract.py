"""What `record()` promises: one row for a good call, one clear refusal for a bad one, nothing lost with it."""

import enum
import json
import logging
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from provider_answers import ANTHROPIC, CHAT, CONVERSE, SHAPES

import tracking
from tracking import (
    ArgumentError,
    CostTracker,
    LLMResponse,
    RequestType,
    ResponseError,
    TrackableRef,
    UnknownModelError,
    Usage,
    UsageError,
)

JournalReader = Callable[[Path], list[dict[str, Any]]]
REQUIRED = ("llm_response", "trackable", "user", "request_type", "prompt")
UNKNOWN = LLMResponse(provider="openai", model="gpt-4oo-minni", usage=Usage(input_tokens=5))


@dataclass
class Assignment:
    id: int


@dataclass
class User:
    id: str


def arguments(**changes: Any) -> dict[str, Any]:
    return {
        "llm_response": CHAT,
        "trackable": Assignment(42),
        "user": User("teacher-1"),
        "request_type": "generate_rubric",
        "prompt": "Make a rubric",
    } | changes


def refusals(home: Path) -> list[dict[str, Any]]:
    files = sorted((home / "quarantine").iterdir())
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


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


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("absence", ["missing", None, "", " \n\t"])
def test_a_required_argument_that_is_absent_is_named(
    tracker: CostTracker, home: Path, name: str, absence: str | None, journal_records: JournalReader
) -> None:
    given = arguments(**{name: absence})
    if absence == "missing":
        del given[name]
    with pytest.raises(ArgumentError, match=f"^{name} is missing or blank") as refusal:
        tracker.record(**given)
    assert refusal.value.argument == name
    assert isinstance(refusal.value, ValueError)
    assert journal_records(home) == []


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


def test_a_prompt_that_cannot_be_text_is_refused(tracker: CostTracker) -> None:
    endless: list[Any] = []
    endless.append(endless)
    for prompt in (endless, {1: "a", "b": 2}):
        with pytest.raises(ArgumentError, match="prompt cannot be turned to text"):
            tracker.record(**arguments(prompt=prompt))


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"occurred_at": datetime(2026, 11, 20)}, "occurred_at", "(2026-11-20T00:00:00) has no time zone"),  # noqa: DTZ001
        ({"occurred_at": date(2026, 11, 20)}, "occurred_at", "is a date"),
        ({"occurred_at": "2026-11-20T00:00:00Z"}, "occurred_at", "is a str"),
        ({"request_type": "generate_rubrik"}, "request_type", "did you mean 'generate_rubric'?"),
        ({"request_type": "Generate Rubric"}, "request_type", "does not match"),
        ({"request_type": "x" * 65}, "request_type", "(65 characters)"),
        ({"request_type": 5}, "request_type", "is a int"),
        ({"trackable": "Assignment"}, "trackable", "is not of the form Type:id"),
        ({"trackable_parent": "Course"}, "trackable_parent", "is not of the form Type:id"),
        ({"user": True}, "user", "bool"),
        ({"tenant": ""}, "tenant", "is blank"),
        ({"tenant": 1.5}, "tenant", "float"),
        ({"latency": 5}, "latency", "is not an argument of record()"),
    ],
)
def test_a_bad_argument_is_refused_by_name(
    tracker: CostTracker, home: Path, changes: dict[str, Any], name: str, words: str, journal_records: JournalReader
) -> None:
    with pytest.raises(ArgumentError) as refusal:
        tracker.record(**arguments(**changes))
    assert refusal.value.argument == name
    assert str(refusal.value).startswith(name)
    assert words in str(refusal.value)
    assert journal_records(home) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "fine"}, ["status", "fine"]),
        ({"latency_ms": -1}, ["latency_ms", "-1"]),
        ({"attempt": 1.5}, ["attempt", "1.5"]),
        ({"tags": {"when": datetime(2026, 1, 1, tzinfo=UTC)}}, ["tags", "datetime"]),
        ({"tags": "text"}, ["tags"]),
    ],
)
def test_a_row_that_would_not_be_valid_is_pydantics_own_error(
    tracker: CostTracker, home: Path, changes: dict[str, Any], words: list[str]
) -> None:
    from pydantic import ValidationError

    with pytest.raises(ValidationError) as refusal:
        tracker.record(**arguments(**changes))
    for word in words:
        assert word in str(refusal.value)
    assert refusals(home)[0]["error"] == "ValidationError"


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), True, "12", 2**63, 1.5])
@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "reasoning_tokens"])
def test_an_impossible_count_is_refused_by_name_and_value(name: str, value: Any) -> None:
    counts = {"input_tokens": 10, "output_tokens": 10} | {name: value}
    with pytest.raises(UsageError) as refusal:
        LLMResponse(provider="openai", model="gpt-4o", usage=counts)
    assert str(refusal.value).startswith(name)
    assert repr(value) in str(refusal.value)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"input_tokens": 3, "cache_read_tokens": 5}, "cache_read_tokens (5) exceeds input_tokens (3)"),
        (
            {"input_tokens": 3, "cache_read_tokens": 2, "cache_write_tokens": 2},
            "cache_read_tokens (2) + cache_write_tokens (2) exceeds input_tokens (3)",
        ),
        ({"output_tokens": 3, "reasoning_tokens": 5}, "reasoning_tokens (5) exceeds output_tokens (3)"),
        ({"input_tokens": 9, "cache_write_1h_tokens": 5}, "cache_write_1h_tokens (5) given without cache_write_tokens"),
    ],
)
def test_a_part_larger_than_its_whole_names_both_values(counts: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Usage(**counts)
    assert str(refusal.value) == message


def test_a_count_nobody_knows_is_refused() -> None:
    with pytest.raises(ArgumentError, match="usage has no count named 'tokens'"):
        LLMResponse(provider="openai", model="gpt-4o", usage={"tokens": 5})


def test_an_answer_without_usage_is_refused(tracker: CostTracker) -> None:
    with pytest.raises(ResponseError, match="no usage"):
        tracker.record(**arguments(llm_response={"model": "gpt-4o", "choices": []}))


def test_an_unknown_model_is_refused_with_the_nearest_names(tracker: CostTracker) -> None:
    assert CostTracker.UnknownModelError is UnknownModelError
    with pytest.raises(CostTracker.UnknownModelError) as refusal:
        tracker.record(**arguments(llm_response=UNKNOWN))
    assert len(refusal.value.nearest) == 3


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


class TestOnErrorLog:
    @pytest.fixture
    def forgiving(self, home: Path) -> Any:
        with CostTracker(home, on_error="log") as tracker:
            yield tracker

    @pytest.mark.parametrize(
        "changes",
        [
            {"user": None},
            {"llm_response": UNKNOWN},
            {"llm_response": {"usage": None}},
            {"llm_response": object()},
            {"tags": {"a": object()}},
            {"prompt": {1: 1, "a": 1}},
            {"latency": 5},
            {"latency_ms": -5},
            {"llm_response": LLMResponse(provider="openai", model="gpt-4o", usage=Usage(), finish_reason="\ud800")},
        ],
    )
    def test_a_refused_call_never_breaks_the_paid_request(
        self, forgiving: CostTracker, home: Path, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        assert forgiving.record(**arguments(**changes)) is None
        assert forgiving.errors == 1
        (line,) = [line for line in caplog.records if line.name == "llm_cost_ledger"]
        assert line.levelno == logging.ERROR
        assert "quarantine" in line.getMessage()
        assert len(refusals(home)) == 1

    def test_not_even_where_the_callers_own_objects_fail(self, forgiving: CostTracker, home: Path) -> None:
        class Detached:
            @property
            def id(self) -> int:
                raise RuntimeError("not bound to a session: Make a rubric")

        assert forgiving.record(**arguments(user=Detached())) is None
        (refused,) = refusals(home)
        assert refused["user"] is None
        assert "RuntimeError" in refused["reason"]
        assert "Make a rubric" not in refused["reason"]

    def test_nor_where_redact_fails(self, home: Path, caplog: pytest.LogCaptureFixture) -> None:
        def redact(text: str) -> str:
            raise ValueError(text)

        with CostTracker(home, on_error="log", redact=redact) as tracker:
            assert tracker.record(**arguments()) is None
        assert "Make a rubric" not in caplog.text + json.dumps(refusals(home))

    def test_nor_where_the_quarantine_is_gone_too(self, forgiving: CostTracker, home: Path, caplog: Any) -> None:
        (home / "quarantine").rmdir()
        assert forgiving.record(**arguments(user=None)) is None
        assert "kept in nowhere" in caplog.text

    def test_the_next_good_call_is_recorded(
        self, forgiving: CostTracker, home: Path, journal_records: JournalReader
    ) -> None:
        forgiving.record(**arguments(user=None))
        assert forgiving.record(**arguments()).micro_usd == 2520
        assert len(journal_records(home)) == 1


def test_what_an_object_raises_as_it_is_read_is_an_argument_error_and_the_call_is_kept(home: Path) -> None:
    class Detached:
        @property
        def id(self) -> int:
            raise RuntimeError("not bound to a session")

    with (
        CostTracker(home) as tracker,
        pytest.raises(ArgumentError, match="user cannot be read: a Detached raised RuntimeError") as refusal,
    ):
        tracker.record(**arguments(user=Detached()))
    assert str(refusal.value.__cause__) == "not bound to a session"
    assert refusals(home)[0]["answer"]["usage"] == CHAT["usage"]


def test_what_was_refused_is_kept_with_usage_and_reason_and_without_the_prompt(
    tracker: CostTracker, home: Path
) -> None:
    with pytest.raises(ArgumentError):
        tracker.record(**arguments(request_type="nonesuch"))
    with pytest.raises(UnknownModelError):
        tracker.record(**arguments(llm_response=UNKNOWN, occurred_at=datetime(2026, 11, 20, tzinfo=UTC)))
    first, second = refusals(home)
    assert first["error"] == "ArgumentError"
    assert first["reason"].startswith("request_type 'nonesuch' is not registered")
    assert first["answer"]["usage"] == CHAT["usage"]
    assert (first["answer"]["id"], first["answer"]["model"]) == (CHAT["id"], CHAT["model"])
    assert (first["user"], first["trackable"], first["request_type"]) == ("teacher-1", "Assignment:42", "nonesuch")
    assert second["answer"] == {"provider": "openai", "model": UNKNOWN.model, "id": None, "usage": {"input_tokens": 5}}
    assert second["occurred_at"] == "2026-11-20 00:00:00+00:00"
    for file in (home / "quarantine").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "Make a rubric" not in file.read_text()
        assert "Four criteria" not in file.read_text()


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


def test_the_default_tracker_is_configured_by_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch, journal_records: JournalReader
) -> None:
    monkeypatch.setenv("LLM_COST_HOME", str(home))
    monkeypatch.setenv("LLM_COST_ON_UNKNOWN_MODEL", "record")
    monkeypatch.setenv("LLM_COST_PROMPT_POLICY", "drop")
    assert tracking.record(**arguments()).micro_usd == 2520
    assert tracking.record(**arguments(llm_response=UNKNOWN)).cost_usd is None
    assert tracking.default_tracker() is tracking.default_tracker()
    tracking.default_tracker().close()
    assert [row["prompt"] for row in journal_records(home)] == [None, None]


def test_the_class_records_as_the_process_does_and_an_instance_as_itself(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal_records: JournalReader
) -> None:
    monkeypatch.setenv("LLM_COST_HOME", str(home))
    assert not home.exists(), "naming the method makes no home"
    assert CostTracker.record.__name__ == "record"
    assert CostTracker.record(**arguments()).micro_usd == 2520
    assert tracking.record(**arguments()).record_id == CostTracker.record(**arguments()).record_id
    with CostTracker(tmp_path / "own") as own:
        own.record(**arguments(user="of-the-instance"))
        CostTracker.record(own, **arguments(user="by-the-class"))
    tracking.default_tracker().close()
    assert [row["user_id"] for row in journal_records(tmp_path / "own")] == ["of-the-instance", "by-the-class"]
    assert [row["user_id"] for row in journal_records(home)] == ["teacher-1"] * 3
    with pytest.raises(ArgumentError, match="user is missing"):
        CostTracker.record(**arguments(user=None))


def test_the_home_is_beside_the_process_where_nothing_or_nothing_much_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLM_COST_HOME", "")
    with CostTracker() as tracker:
        assert tracker.home.root == tmp_path / "llm-cost-data"


def test_settings_given_in_code_win_over_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_COST_ON_ERROR", "log")
    with CostTracker(home, on_error="raise") as tracker, pytest.raises(ArgumentError):
        tracker.record()


@pytest.mark.parametrize("setting", ["durability", "prompt_policy", "on_error", "on_unknown_model"])
def test_a_setting_that_is_none_is_named_with_its_value(home: Path, setting: str) -> None:
    with pytest.raises(ValueError, match=rf"(?s){setting}.*'sometimes'"):
        CostTracker(home, **{setting: "sometimes"})
    assert not home.exists()


def test_the_two_cache_lifetimes_have_columns_and_the_rest_stands_in_other_units(tracker: CostTracker) -> None:
    record = tracker.record(**arguments(llm_response=ANTHROPIC))
    assert (record.cache_write_tokens, record.cache_write_1h_tokens, record.cache_read_tokens) == (300, 200, 1000)
    assert json.loads(record.other_units or "") == {"cache_write_5m_tokens": 100, "web_searches": 2}
