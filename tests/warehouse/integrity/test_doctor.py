"""`llm-cost doctor`: what is wrong with a home or its machine is told with what to do; where all is well, so."""

import json
import os
import time
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tracking import CostTracker
from tracking.home import Home
from warehouse.cli import app
from warehouse.integrity.doctor import examine

CALL: dict[str, Any] = {
    "llm_response": {"id": "c1", "model": "gpt-4o", "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
    "user": "u",
    "trackable": ("Assignment", 1),
    "request_type": "generate_rubric",
    "prompt": "p",
}


@pytest.fixture
def recorded(home: Path) -> Home:
    with CostTracker(home) as tracker:
        tracker.record(**CALL)
    return Home(home)


def to_do(home: Home, now: datetime | None = None) -> dict[str, tuple[str, str]]:
    """What is not well."""
    return {check.name: (check.found, check.advice) for check in examine(home, now) if check.advice}


def test_where_all_is_well_nothing_is_to_be_done(recorded: Home) -> None:
    told = CliRunner().invoke(app, ["doctor", "--home", str(recorded.root)])
    assert told.exit_code == 0, told.output
    lines = told.output.splitlines()
    names = ["home", "versions", "permissions", "clock", "free space", "journals", "prices", "lost calls"]
    assert [line.partition(":")[0] for line in lines] == [f"ok {name}" for name in names]


def test_a_home_that_is_none_yet_is_told(home: Path) -> None:
    told = CliRunner().invoke(app, ["doctor", "--json", "--home", str(home)])
    assert told.exit_code == 1
    (first, _) = json.loads(told.output)
    assert first["advice"].startswith("the first record() makes one")
    assert not home.exists()


def test_what_others_can_read_is_told(recorded: Home) -> None:
    (journal,) = recorded.journals()
    journal.chmod(0o644)
    ((found, advice),) = to_do(recorded).values()
    assert found.startswith(f"journal/{journal.name} has mode 0644")
    assert "chmod" in advice


def test_a_clock_behind_what_was_written_is_told(recorded: Home) -> None:
    assert list(to_do(recorded, datetime.now(UTC) - timedelta(hours=1))) == ["clock"]


def test_a_full_disk_is_told(recorded: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**12, 10**12 - 10**6, 10**6))
    assert list(to_do(recorded)) == ["free space"]


def test_journals_that_writers_left_long_ago_are_told(recorded: Home) -> None:
    (journal,) = recorded.journals()
    os.utime(journal, (time.time() - 3 * 86_400,) * 2)
    ((found, advice),) = to_do(recorded).values()
    assert found.startswith(f"1 with {journal.stat().st_size:,} bytes")
    assert advice == "llm-cost seal"
    with CostTracker(recorded.root) as living:
        journal.unlink()
        living.record(**CALL)
        (held,) = recorded.journals()
        os.utime(held, (time.time() - 3 * 86_400,) * 2)
        assert to_do(recorded) == {}, "its writer lives"


def test_old_prices_are_told(recorded: Home) -> None:
    now = datetime.now(UTC) + timedelta(days=400)
    assert list(to_do(recorded, now)) == ["journals", "prices"]


def test_lost_calls_are_told_as_soon_as_the_disk_takes_a_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CostTracker(home, on_error="log") as tracker:
        tracker.record(**CALL)
        with monkeypatch.context() as full:

            def refuse(*_: object) -> int:
                raise OSError(28, "No space left on device")

            full.setattr("os.write", refuse)
            tracker.record(**CALL)
            tracker.record(**CALL)
        assert tracker.lost == 2
    ((found, advice),) = to_do(Home(home)).values()
    assert found.startswith("2 of which nothing could be written")
    assert "compare with the provider's invoice" in advice
    (home / "lost.jsonl").unlink()
    assert to_do(Home(home)) == {}
