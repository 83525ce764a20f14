"""A prompt is in one place: the prompt field of its journal line. Nowhere else on disk, in no error, in no log."""

import hashlib
import hmac
import json
import logging
import stat
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from provider_answers import ANTHROPIC, CHAT, RESPONSES
from pydantic import ValidationError

from tracking import CostTracker, LLMUsageRecord
from tracking.rows.prompt import PREFIX_CHARS

JournalReader = Callable[[Path], list[dict[str, Any]]]
CANARY = "CANARY-7f3a sings: the pupil's name is Ada"


def arguments(**changes: Any) -> dict[str, Any]:
    return {
        "llm_response": CHAT,
        "trackable": ("Assignment", 42),
        "user": "teacher-1",
        "request_type": "generate_rubric",
        "prompt": [{"role": "user", "content": CANARY}],
    } | changes


def said_by(error: BaseException) -> str:
    """Everything an error, its causes and its traceback can show, with the source lines left out."""
    shown = "".join(traceback.TracebackException.from_exception(error, lookup_lines=False).format_exception_only())
    chain: BaseException | None = error
    while chain is not None:
        shown += str(chain) + repr(chain) + repr(chain.args)
        if isinstance(chain, ValidationError):
            shown += repr(chain.errors()) + chain.json()
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    return shown


def on_disk(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def refused_in_every_way() -> dict[str, dict[str, Any]]:
    return {
        "no user": {"user": None},
        "an unknown model": {"llm_response": CHAT | {"model": "nonesuch"}},
        "no usage": {"llm_response": {"choices": CHAT["choices"], "model": "gpt-4o"}},
        "an impossible count": {"llm_response": CHAT | {"usage": CHAT["usage"] | {"prompt_tokens": -1}}},
        "the prompt as request type": {"request_type": CANARY},
        "the prompt as trackable": {"trackable": CANARY},
        "the prompt as trackable in a list": {"trackable": [CANARY]},
        "the prompt as id of a wrong type": {"trackable": ("Assignment", [CANARY])},
        "the messages as user": {"user": [{"role": "user", "content": CANARY}]},
        "the messages as request type": {"request_type": [CANARY]},
        "the prompt as answer": {"llm_response": CANARY},
        "the messages as answer": {"llm_response": [{"role": "user", "content": CANARY}]},
        "a body whose answer says it": {
            "llm_response": {"output": CANARY, "content": CANARY, "output_text": CANARY, "usage": None},
        },
        "the prompt as instant": {"occurred_at": CANARY},
        "the prompt as tags": {"tags": CANARY},
        "tags that are not JSON": {"tags": {CANARY: object()}},
        "the prompt as a number": {"latency_ms": CANARY, "tags": {"a": object()}},
        "a reply with a lone surrogate": {"llm_response": CHAT | {"id": "\ud800"}},
        "a prompt that is no text": {"prompt": {1: CANARY, "b": CANARY}},
        "a key of no text": {"idempotency_key": [CANARY]},
    }


@pytest.mark.parametrize("way", refused_in_every_way())
@pytest.mark.parametrize("on_error", ["raise", "log"])
def test_no_refusal_repeats_the_prompt(
    home: Path, way: str, on_error: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with CostTracker(home, on_error=on_error) as tracker:
        if on_error == "log":
            assert tracker.record(**arguments(**refused_in_every_way()[way])) is None
        else:
            with pytest.raises(Exception) as refusal:
                tracker.record(**arguments(**refused_in_every_way()[way]))
            # A number that is a text is the one value shown, for there no prompt belongs.
            if way != "the prompt as a number":
                assert "CANARY" not in said_by(refusal.value)
    if way != "the prompt as a number":
        assert "CANARY" not in caplog.text + "".join(capfd.readouterr())
        for path, content in on_disk(home).items():
            assert b"CANARY" not in content, path


def test_a_recorded_prompt_is_only_in_its_journal_line(home: Path, journal_records: JournalReader) -> None:
    with CostTracker(home) as tracker:
        record = tracker.record(**arguments())
        with pytest.raises(ValueError):
            tracker.record(**arguments(user=None))
    holders = [path for path, content in on_disk(home).items() if b"CANARY" in content]
    assert [path.parent.name for path in holders] == ["journal"]
    (row,) = journal_records(home)
    assert [name for name, value in row.items() if "CANARY" in str(value)] == ["prompt"]
    shown = repr(record) + str(record) + record.model_dump_json() + repr(record.model_dump())
    assert "CANARY" not in shown


def test_what_the_model_said_is_nowhere(home: Path) -> None:
    answer = ANTHROPIC | {"content": [{"type": "text", "text": CANARY}]}
    with CostTracker(home) as tracker:
        tracker.record(**arguments(llm_response=answer, prompt="p"))
        with pytest.raises(ValueError):
            tracker.record(**arguments(llm_response=answer, user=None, prompt="p"))
    assert not [path for path, content in on_disk(home).items() if b"CANARY" in content]


def test_an_sdk_objects_own_warnings_do_not_quote_the_answer(
    tracker: CostTracker, recwarn: pytest.WarningsRecorder
) -> None:
    responses = pytest.importorskip("openai.types.responses")
    odd = responses.Response.construct(**RESPONSES | {"output": [{"type": "message", "content": CANARY}]})
    odd.output = CANARY
    tracker.record(**arguments(llm_response=odd, prompt="p"))
    assert not [warning for warning in recwarn if "CANARY" in str(warning.message)]


def test_a_personal_field_of_a_record_is_never_shown_when_refused() -> None:
    fields = [name for name in LLMUsageRecord.model_fields if name not in ("cost_usd", "micro_usd", "token_count")]
    for name in fields:
        with pytest.raises(ValidationError) as refusal:
            LLMUsageRecord(**{name: {CANARY: [CANARY]}})  # type: ignore[arg-type]
        assert "CANARY" not in said_by(refusal.value), name


def test_every_file_and_directory_is_the_owners_alone(home: Path) -> None:
    with CostTracker(home) as tracker:
        tracker.record(**arguments())
        with pytest.raises(ValueError):
            tracker.record(**arguments(user=None))
    for directory in ("journal", "quarantine", "prices", "keys"):
        assert len(list((home / directory).iterdir())) == 1, directory
    for path in [home, *home.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_modes_hold_under_an_open_umask(home: Path) -> None:
    import os

    before = os.umask(0)
    try:
        test_every_file_and_directory_is_the_owners_alone(home)
    finally:
        os.umask(before)


def written_under(home: Path, journal_records: JournalReader, prompt: Any = CANARY, **settings: Any) -> dict[str, Any]:
    with CostTracker(home, **settings) as tracker:
        tracker.record(**arguments(prompt=prompt))
    return max(journal_records(home), key=lambda row: row["recorded_at"])


def test_stored_prompts_have_text_length_and_keyed_hash(home: Path, journal_records: JournalReader) -> None:
    row = written_under(home, journal_records)
    key = (home / "keys" / "prompt.key").read_bytes()
    assert len(key) == 32
    assert (row["prompt"], row["prompt_chars"]) == (CANARY, len(CANARY))
    assert row["prompt_hmac"] == hmac.digest(key, CANARY.encode(), "sha256").hex()
    assert row["prompt_hmac"] != hashlib.sha256(CANARY.encode()).hexdigest()
    assert row["prompt_prefix_hmac"] is None


def test_hashed_prompts_leave_no_text(home: Path, journal_records: JournalReader) -> None:
    row = written_under(home, journal_records, prompt_policy="hash")
    assert row["prompt"] is None
    assert row["prompt_chars"] == len(CANARY)
    assert row["prompt_hmac"]
    assert not [path for path, content in on_disk(home).items() if b"CANARY" in content]


def test_dropped_prompts_leave_only_their_length(home: Path, journal_records: JournalReader) -> None:
    row = written_under(home, journal_records, prompt_policy="drop")
    assert (row["prompt"], row["prompt_hmac"], row["prompt_prefix_hmac"]) == (None, None, None)
    assert row["prompt_chars"] == len(CANARY)
    assert not list((home / "keys").iterdir())


def test_redact_comes_before_everything(home: Path, journal_records: JournalReader) -> None:
    def redact(text: str) -> str:
        return text.replace("Ada", "[name]")

    row = written_under(home, journal_records, redact=redact)
    redacted = CANARY.replace("Ada", "[name]")
    key = (home / "keys" / "prompt.key").read_bytes()
    assert (row["prompt"], row["prompt_chars"]) == (redacted, len(redacted))
    assert row["prompt_hmac"] == hmac.digest(key, redacted.encode(), "sha256").hex()
    assert not [path for path, content in on_disk(home).items() if b"Ada" in content]


def test_of_a_long_prompt_the_beginning_is_stored_and_the_whole_is_hashed(
    home: Path, journal_records: JournalReader
) -> None:
    prompt = "é" * 1000
    with CostTracker(home, max_prompt_bytes=101) as tracker:
        tracker.record(**arguments(prompt=prompt))
        tracker.record(**arguments(prompt=prompt[:50]))
    whole, beginning = journal_records(home)
    assert (whole["prompt"], whole["prompt_chars"]) == ("é" * 50, 1000)
    assert (beginning["prompt"], beginning["prompt_chars"]) == ("é" * 50, 50)
    key = (home / "keys" / "prompt.key").read_bytes()
    assert whole["prompt_hmac"] == hmac.digest(key, prompt.encode(), hashlib.sha256).hex()


def test_equal_prompts_have_equal_hashes_in_one_home_and_others_in_another(
    tmp_path: Path, journal_records: JournalReader
) -> None:
    first = written_under(tmp_path / "a", journal_records)["prompt_hmac"]
    again = written_under(tmp_path / "a", journal_records)["prompt_hmac"]
    other = written_under(tmp_path / "b", journal_records)["prompt_hmac"]
    assert first == again != other


def test_long_prompts_that_begin_alike_share_a_prefix_hash(home: Path, journal_records: JournalReader) -> None:
    system = "s" * PREFIX_CHARS
    one, two = (written_under(home, journal_records, prompt=system + tail) for tail in ("one", "two"))
    assert one["prompt_prefix_hmac"] == two["prompt_prefix_hmac"] is not None
    assert one["prompt_hmac"] != two["prompt_hmac"]
    assert written_under(home, journal_records, prompt="s" * (PREFIX_CHARS - 1))["prompt_prefix_hmac"] is None


def test_a_key_that_cannot_be_made_is_a_clear_error_and_nothing_is_written(
    home: Path, journal_records: JournalReader
) -> None:
    with CostTracker(home) as tracker:
        (home / "keys").rmdir()
        with pytest.raises(Exception, match=r"key .*prompt\.key cannot be used: No such file") as refusal:
            tracker.record(**arguments())
    assert type(refusal.value).__name__ == "LedgerError"
    assert journal_records(home) == []


def test_messages_are_stored_as_canonical_json(home: Path, journal_records: JournalReader) -> None:
    one = written_under(home, journal_records, prompt=[{"role": "user", "content": "é"}])
    two = written_under(home, journal_records, prompt=[{"content": "é", "role": "user"}])
    assert one["prompt"] == two["prompt"] == '[{"content": "é", "role": "user"}]'
    assert one["prompt_hmac"] == two["prompt_hmac"]
    assert json.loads(one["prompt"]) == [{"role": "user", "content": "é"}]
