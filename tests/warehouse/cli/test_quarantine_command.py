"""`llm-cost quarantine`: what it lists, and that it never shows what was said."""

import json
from pathlib import Path

from refusals import one_recorded_and_others_refused
from typer.testing import CliRunner

from warehouse.cli import app


def run(home: Path, *arguments: str, typed: str | None = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["quarantine", *arguments, "--home", str(home)], input=typed)
    return done.exit_code, done.stdout, done.stderr


def test_calls_are_listed_shown_discarded_and_replayed_without_what_was_said(home: Path) -> None:
    one_recorded_and_others_refused(home, 4)
    code, listed, _ = run(home, "list", "--reason", "user", "--json")
    calls = json.loads(listed)
    assert (code, len(calls)) == (0, 4)
    first = calls[0]
    assert (first["provider"], first["model"], first["tenant"], first["state"]) == (
        "openai",
        "gpt-4o",
        "north",
        "waiting",
    )
    assert first["usage"] == {"input_tokens": 1001, "output_tokens": 101}
    assert float(first["estimated_usd"]) > 0
    code, shown, _ = run(home, "show", first["id"])
    assert code == 0 and "trackable: Assignment:1" in shown and "usage: input_tokens 1001, output_tokens 101" in shown
    assert "secret words" not in listed + shown + run(home, "list")[1]
    assert "4 calls, " in run(home, "list")[1]

    assert run(home, "discard", first["id"], typed="n\n")[0] == 1
    assert len(json.loads(run(home, "list", "--json")[1])) == 4
    assert run(home, "discard", first["id"], "--yes", "--why", "a test")[:2] == (0, "Discarded 1 calls\n")

    code, said, complained = run(home, "replay")
    assert (code, said) == (1, "Replayed 0 calls; 3 could not be recorded and stay\n")
    assert complained == "llm-cost: 3 not recorded: user is missing or blank\n"
    code, said, _ = run(home, "replay", "--user", "teacher-2", "--of-tenant", "north")
    assert (code, said.splitlines()[0]) == (0, "Replayed 3 calls; 0 could not be recorded and stay")
    assert run(home, "replay", "--user", "teacher-2")[1] == "Replayed 0 calls; 0 could not be recorded and stay\n"
    assert json.loads(run(home, "list", "--json")[1]) == []
    settled = json.loads(run(home, "list", "--settled", "--json")[1])
    assert sorted(call["state"] for call in settled) == ["discarded"] + ["replayed"] * 3
    assert next(call for call in settled if call["state"] == "discarded")["settled"]["why"] == "a test"
