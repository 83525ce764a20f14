"""What `record()` promises of a bad call: one clear refusal, and nothing lost with it."""

import json
import logging
import stat
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from good_call import UNKNOWN, JournalReader, arguments, refusals
from provider_answers import CHAT

from tracking import ArgumentError, CostTracker, LLMResponse, ResponseError, UnknownModelError, Usage, UsageError

REQUIRED = ("llm_response", "trackable", "user", "request_type", "prompt")


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
