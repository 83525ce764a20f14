"""`tracker.call(…)`: how long a call took, and calls that failed, without ever getting in the caller's way."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from provider_answers import CHAT, CONVERSE

from tracking import ArgumentError, CostTracker, LLMResponse, ResponseError, Usage, attribution

JournalReader = Callable[[Path], list[dict[str, Any]]]
WHO: dict[str, Any] = {
    "user": "teacher-1",
    "trackable": ("Assignment", 42),
    "request_type": "generate_rubric",
    "prompt": "Make a rubric",
}


class ProviderDownError(Exception):
    pass


def test_a_call_is_recorded_with_its_latency(tracker: CostTracker) -> None:
    with tracker.call(**WHO, attempt=2, provider="openai", model="gpt-4o") as call:
        time.sleep(0.02)
        call.first_token()
        time.sleep(0.02)
        call.first_token()
        call.response = CHAT
    assert call.record is not None
    assert (call.record.status, call.record.micro_usd, call.record.attempt) == ("ok", 2520, 2)
    assert 20 <= call.record.ttft_ms < call.record.latency_ms
    assert call.record.latency_ms >= 40


def test_latency_that_was_measured_elsewhere_wins(tracker: CostTracker) -> None:
    with tracker.call(**WHO, latency_ms=7) as call:
        call.response = CHAT
    assert (call.record.latency_ms, call.record.ttft_ms) == (7, None)


def test_a_failed_call_is_a_row_without_cost_and_its_exception_goes_on(
    tracker: CostTracker, home: Path, journal_records: JournalReader
) -> None:
    with pytest.raises(ProviderDownError), tracker.call(**WHO, provider="openai", model="gpt-4o") as call:
        raise ProviderDownError("the prompt was: Make a rubric")
    (row,) = journal_records(home)
    assert (row["status"], row["error_type"], row["pricing_status"]) == ("error", "ProviderDownError", "unpriced")
    assert (row["cost_usd"], row["micro_usd"], row["token_count"]) == (None, None, None)
    assert (row["provider"], row["model"]) == ("openai", "gpt-4o")
    assert row["latency_ms"] is not None
    assert call.record.record_id == row["record_id"]


def test_a_failed_call_of_nobody_knows_which_provider_is_recorded_too(tracker: CostTracker) -> None:
    with pytest.raises(ProviderDownError), tracker.call(**WHO) as call:
        raise ProviderDownError
    assert (call.record.provider, call.record.model) == ("unknown", None)


def test_an_interrupt_is_a_failed_call(tracker: CostTracker) -> None:
    with pytest.raises(KeyboardInterrupt), tracker.call(**WHO) as call:
        raise KeyboardInterrupt
    assert call.record.error_type == "KeyboardInterrupt"


def test_what_fails_after_the_answer_came_is_still_paid_for(tracker: CostTracker) -> None:
    with pytest.raises(ProviderDownError), tracker.call(**WHO) as call:
        call.response = CHAT
        raise ProviderDownError
    assert (call.record.status, call.record.micro_usd) == ("ok", 2520)


@pytest.mark.parametrize("response", [None, CHAT, {"no": "usage"}, object()])
@pytest.mark.parametrize("on_error", ["raise", "log"])
def test_trouble_in_recording_never_replaces_the_callers_exception(
    home: Path, response: object, on_error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with CostTracker(home, on_error=on_error) as tracker:
        with pytest.raises(ProviderDownError), tracker.call(**WHO | {"user": None}) as call:
            call.response = response
            raise ProviderDownError
        assert call.record is None
        assert tracker.errors == 1
    assert "not recorded, kept in" in caplog.text
    assert "Make a rubric" not in caplog.text
    assert len(list((home / "quarantine").iterdir())) == 1


def test_a_block_that_sets_no_response_is_told(tracker: CostTracker) -> None:
    with pytest.raises(ArgumentError, match="llm_response is missing"), tracker.call(**WHO):
        pass


@pytest.mark.parametrize("response", [None, {"no": "usage"}, object(), CHAT | {"model": "nonesuch"}])
def test_under_log_a_paid_call_is_never_broken(home: Path, response: object) -> None:
    with CostTracker(home, on_error="log") as tracker:
        with tracker.call(**WHO, provider="openai") as call:
            call.response = response
        assert (call.record, tracker.errors) == (None, 1)


def test_an_answer_that_cannot_be_read_is_kept(tracker: CostTracker, home: Path) -> None:
    broken = CHAT | {"usage": {"total_tokens": 5}}
    with pytest.raises(ResponseError), tracker.call(**WHO, provider="groq") as call:
        call.response = broken
    (kept,) = [json.loads(line) for file in (home / "quarantine").iterdir() for line in file.open()]
    assert kept["answer"]["usage"] == {"total_tokens": 5}


def test_provider_and_model_read_an_answer_that_names_neither(tracker: CostTracker) -> None:
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    with tracker.call(**WHO, provider="aws", model=model) as call:
        call.response = CONVERSE
    assert (call.record.provider, call.record.model, call.record.pricing_status) == ("aws", model, "priced")


def test_an_llm_response_is_taken_as_it_is(tracker: CostTracker) -> None:
    with tracker.call(**WHO, provider="anthropic", model="claude-3-5-haiku-latest") as call:
        call.response = LLMResponse(provider="openai", model="gpt-4o", usage=Usage(input_tokens=1))
    assert (call.record.provider, call.record.model) == ("openai", "gpt-4o")


def test_a_mistyped_argument_is_told_before_the_call_is_paid_for(tracker: CostTracker) -> None:
    with pytest.raises(ArgumentError, match="usr is not an argument"):
        tracker.call(**WHO, usr="teacher-1")
    with pytest.raises(ArgumentError, match="llm_response is not an argument"):
        tracker.call(**WHO, llm_response=CHAT)


def test_calls_take_attribution(tracker: CostTracker) -> None:
    with attribution(user="u", trackable=("Assignment", 1), request_type="generate_rubric"):
        with tracker.call(prompt="p") as call:
            call.response = CHAT
        with pytest.raises(ProviderDownError), tracker.call(prompt="p") as failed:
            raise ProviderDownError
    assert (call.record.user_id, failed.record.user_id) == ("u", "u")
