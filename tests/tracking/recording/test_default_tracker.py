"""The tracker of a process: its home and its settings, said in code or by the environment."""

from pathlib import Path

import pytest
from good_call import UNKNOWN, JournalReader, arguments

import tracking
from tracking import ArgumentError, CostTracker


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
