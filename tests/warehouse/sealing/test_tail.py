"""`llm-cost tail`: every record as it comes, whoever writes it and whatever becomes of its journal; never a prompt."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ledgers import body, journals, living_writer, llm_cost, record, recorded_by_an_earlier_version, write_journal

from tracking import CostTracker
from tracking.home import Home
from tracking.journal.writer import JournalWriter, record_line
from warehouse.sealing.seal import seal
from warehouse.sealing.tail import Tail

CANARY = "canary-31f4"


def ids(records: list[dict[str, object]]) -> list[object]:
    return [fields["record_id"] for fields in records]


def test_it_shows_whole_lines_once_through_rotation_new_writers_and_sealing(home: Path) -> None:
    with CostTracker(home) as tracker:
        made = [record(tracker, body(number), prompt=CANARY) for number in range(5)]
        with Tail(tracker.home) as tail:
            assert ids(tail.last(3)) == [each.record_id for each in made[2:]]
            assert tail.new() == []
            made.append(record(tracker, body(7)))
            writer = JournalWriter(tracker.home.journal, "process", rotate_bytes=1)
            for _ in range(3):
                writer.append(record_line(made[-1], CANARY))
            assert ids(tail.new()) == [made[-1].record_id] * 4
            writer.append(record_line(made[0], CANARY))
            writer.close()
            shown = tail.new()
            assert ids(shown) == [made[0].record_id]
            seal(tracker.home)
            assert len(journals(home)) == 1
            more = record(tracker, body(9))
            shown += tail.new()
            assert ids(shown[1:]) == [more.record_id]
            assert CANARY not in json.dumps(shown)


def test_what_a_deleted_journal_still_held_is_shown(home: Path) -> None:
    with CostTracker(home) as tracker:
        first = record(tracker)
        with Tail(tracker.home) as tail:
            assert ids(tail.last(9)) == [first.record_id]
            last = record(tracker, body(2))
            tracker.close()
            seal(tracker.home)
            assert journals(home) == []
            assert ids(tail.new()) == [last.record_id]
            assert tail.new() == []


def test_a_line_that_is_not_whole_or_damaged_is_not_shown(home: Path) -> None:
    with CostTracker(home) as tracker:
        made = record(tracker)
    line = journals(home)[0].read_bytes()
    journals(home)[0].unlink()
    journal = write_journal(home, b"no record\n", line[:50])
    with living_writer(journal), Tail(Home(home)) as tail:
        assert tail.last(9) == []
        write_journal(home, line[50:])
        assert ids(tail.new()) == [made.record_id]


def started(home: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "warehouse", "tail", *options, "--home", str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", ["SIGINT", "SIGPIPE"])
def test_following_shows_each_record_at_once_and_ends_cleanly(home: Path, how: str) -> None:
    with CostTracker(home) as tracker:
        first = record(tracker, prompt=CANARY)
        process = started(home, "--follow", "--json")
        assert process.stdout is not None
        assert process.stderr is not None
        deadline = threading.Timer(60, process.kill)
        deadline.start()
        lines = [process.stdout.readline()]
        second = record(tracker, body(2), prompt=CANARY)
        lines.append(process.stdout.readline())
        assert ids([json.loads(line) for line in lines]) == [first.record_id, second.record_id]
        assert CANARY not in "".join(lines)
        if how == "SIGINT":
            process.send_signal(signal.SIGINT)
        else:
            process.stdout.close()
            record(tracker, body(3))
        assert process.wait() == 0
        assert process.stderr.read() == ""
        deadline.cancel()


def test_a_person_reads_one_row_a_call(home: Path) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        priced = record(tracker, body(), prompt=CANARY)
        record(tracker, body(model="school-own-grader"), prompt=CANARY, user="ann")
        recorded_by_an_earlier_version(home, "ann\x1b[31m")
        done = llm_cost("tail", "--home", home)
    assert done.returncode == 0
    _, first, second, _ = done.stdout.splitlines()
    assert first.split()[2:] == [
        "teacher-1",
        "Assignment:1",
        "generate_rubric",
        "gpt-4o",
        "1,100",
        f"{priced.cost_usd}",
    ]
    assert second.endswith("–")
    assert CANARY not in done.stdout
    assert "\x1b" not in done.stdout
    assert llm_cost("tail", "--home", home / "nowhere").returncode == 2
