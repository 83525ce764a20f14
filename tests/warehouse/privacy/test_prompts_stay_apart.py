"""litellm#16336: redacted in one column, plain in another. A canary is looked for in every byte the ledger writes."""

import json
import logging
from pathlib import Path

import pytest
from ledgers import body, llm_cost, record, write_journal

from tracking import CostTracker, LLMResponse
from tracking.home import Home
from tracking.journal.writer import record_line

CANARY = "canary-b7e1-prompt"
PROMPT = [{"role": "user", "content": f"Grade the essay of {CANARY}."}]


def bytes_with(canary: str, below: Path) -> set[str]:
    """The top folders of files that hold it, plain or as UTF-16."""
    return {
        file.relative_to(below).parts[0]
        for file in below.rglob("*")
        if file.is_file() and (canary.encode() in file.read_bytes() or canary.encode("utf-16-le") in file.read_bytes())
    }


def test_a_prompt_is_nowhere_but_in_journal_and_prompts(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), CostTracker(home, on_unknown_model="record", on_error="log") as tracker:
        record(tracker, body(10, id="stream"), prompt=PROMPT, status="partial")
        # Refused calls: an unregistered request type, a user without an id, contradicting counts.
        answer = LLMResponse.from_provider(body(3), provider="openai")
        arguments = {"user": "ann", "trackable": ("Essay", 1), "request_type": "grade_student_work", "prompt": PROMPT}
        for wrong in (
            {"request_type": CANARY},
            {"user": object()},
            {"occurred_at": "noon"},
            {"llm_response": body(-1)},
        ):
            tracker.record(**({"llm_response": answer} | arguments | wrong))
        said = body(5, choices=[{"message": {"role": "assistant", "content": CANARY}, "finish_reason": "stop"}])
        record(tracker, said, prompt=PROMPT)
        assert tracker.errors == 4
        journaled = record(tracker, body(8), prompt=PROMPT)
    lines = [
        {"provider": "openai", "response": body(20, id="stream"), "prompt": PROMPT},
        {"provider": "openai", "response": body(21), "prompt": CANARY, "user": " "},
        {"provider": "openai", "response": body(21), "prompt": CANARY, "unknown": 1},
        {"provider": "openai", "prompt": CANARY},
    ]
    file = tmp_path / "calls.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    who = ("--user", "ann", "--trackable", "Assignment:1", "--request-type", "generate_rubric")
    done = [llm_cost("import", file, *who, "--home", home), llm_cost("build", "--home", home)]
    done += [llm_cost("sql", "select * from fct_usage", "--home", home)]
    done += [llm_cost("top", cut, "--home", home) for cut in ("users", "days")]
    assert [process.returncode for process in done] == [1, 0, 0, 0, 0]
    assert CANARY not in "".join(process.stdout + process.stderr for process in done)
    assert CANARY not in caplog.text
    assert CANARY not in "".join(capfd.readouterr())
    found = bytes_with(CANARY, home)
    assert found <= {"journal", "prompts"}

    # The look itself finds what is there: prompts are stored, and a living journal holds them too.
    with CostTracker(home, durability="process") as tracker:
        record(tracker, body(9), prompt=PROMPT)
        assert "journal" in bytes_with(CANARY, home)
    write_journal(home, record_line(journaled, CANARY), name="elsewhere-2-x.log")
    assert "journal" in bytes_with(CANARY, home)
    assert len(list(Home(home).prompts.rglob("*.parquet"))) >= 1
