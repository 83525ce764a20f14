"""`record_many()`: many calls in few writes; one that is refused keeps no other from the ledger."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from provider_answers import CHAT

import tracking
from tracking import ArgumentError, CostTracker, RefusedCallsError

JournalReader = Callable[[Path], list[dict[str, Any]]]


def call(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "llm_response": CHAT | {"id": f"chatcmpl-{number}"},
        "trackable": ("Assignment", 42),
        "user": f"teacher-{number}",
        "request_type": "generate_rubric",
        "prompt": f"Make rubric {number}",
    } | changes


def refusals(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in (home / "quarantine").iterdir() for line in file.read_text().splitlines()]


def test_many_calls_are_the_rows_that_one_by_one_they_would_be(
    tmp_path: Path, journal_records: JournalReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [call(number, latency_ms=number, tags={"n": number}) for number in range(50)]
    with CostTracker(tmp_path / "one") as tracker:
        for each in calls:
            tracker.record(**each)
    writes: list[int] = []
    write = os.write
    with CostTracker(tmp_path / "many") as tracker:
        tracker.record_many([call(999)])  # whatever a first call writes besides
        monkeypatch.setattr(os, "write", lambda file, data: writes.append(len(data)) or write(file, data))
        records = tracker.record_many(iter(calls))
        monkeypatch.undo()
    assert len(writes) == 1
    assert [record.user for record in records] == [each["user"] for each in calls]
    # Each home has its own key, and each call its own instant.
    own = {"recorded_at", "occurred_at", "prompt_hmac"}
    one, many = (
        [{name: value for name, value in row.items() if name not in own} for row in journal_records(tmp_path / home)]
        for home in ("one", "many")
    )
    assert many[1:] == one


def test_a_refused_call_is_named_and_kept_and_the_others_are_recorded(
    home: Path, journal_records: JournalReader
) -> None:
    calls: list[Any] = [call(0), call(1, user=" "), call(2), "nonsense", call(4, no_such_option=1)]
    with (
        CostTracker(home) as tracker,
        pytest.raises(RefusedCallsError, match=r"3 of 5 calls.*number 1.*user") as caught,
    ):
        tracker.record_many(calls)
    assert sorted(caught.value.errors) == [1, 3, 4]
    assert all(isinstance(error, ArgumentError) for error in caught.value.errors.values())
    assert [record is None for record in caught.value.records] == [False, True, False, True, True]
    assert [row["user_id"] for row in journal_records(home)] == ["teacher-0", "teacher-2"]
    assert [entry["answer"] and entry["answer"]["id"] for entry in refusals(home)] == ["chatcmpl-1", None, "chatcmpl-4"]
    assert "Make rubric" not in json.dumps(refusals(home)) + str(caught.value)


def test_under_log_nothing_is_raised_and_the_place_of_a_refused_call_is_none(home: Path) -> None:
    with CostTracker(home, on_error="log") as tracker:
        records = tracker.record_many([call(0), call(1, prompt=""), call(2)])
    assert [record is None for record in records] == [False, True, False]
    assert tracker.errors == 1


def test_what_an_iterable_gave_before_it_broke_is_recorded(home: Path, journal_records: JournalReader) -> None:
    def calls() -> Iterator[dict[str, Any]]:
        yield call(0)
        raise ConnectionError("the queue is gone")

    with CostTracker(home) as tracker, pytest.raises(ConnectionError):
        tracker.record_many(calls())
    assert len(journal_records(home)) == 1


def test_attribution_around_it_counts_for_every_call(home: Path) -> None:
    calls = [{name: value for name, value in call(n).items() if name != "user"} for n in range(3)]
    with CostTracker(home) as tracker, tracking.attribution(user="teacher-9", tenant="north"):
        records = tracker.record_many(calls)
    assert {(record.user_id, record.tenant) for record in records} == {("teacher-9", "north")}


def test_none_is_nothing(home: Path) -> None:
    with CostTracker(home) as tracker:
        assert tracker.record_many([]) == []
    assert list((home / "journal").iterdir()) == []


SMALL_FILES = """
import resource, signal, sys
from tracking import CostTracker, RefusedCallsError
sys.path.insert(0, {tests!r})
from test_record_many import call
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
tracker = CostTracker({home!r})
tracker.record_many([call(0)])
resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, resource.RLIM_INFINITY))
many = [call(n, prompt="long " * (3000 if {too_long} else 3)) for n in range(1, 40)]
try:
    print(len(tracker.record_many(many)))
except RefusedCallsError as error:
    print(len(error.errors), {{type(each).__name__ for each in error.errors.values()}})
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
tracker.record_many([call(100)])
tracker.close()
"""


@pytest.mark.parametrize("too_long", [False, True])
def test_where_files_may_not_grow_rows_go_to_more_of_them_and_what_fits_into_none_is_kept(
    home: Path, journal_records: JournalReader, too_long: bool
) -> None:
    code = SMALL_FILES.format(tests=str(Path(__file__).parent), home=str(home), too_long=too_long)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("39 {'LedgerError'}\n" if too_long else "39\n")
    written = [0, 100] if too_long else [*range(40), 100]
    assert {row["user_id"] for row in journal_records(home)} == {f"teacher-{number}" for number in written}
    assert len(journal_records(home)) == len(written)
    kept = {entry["answer"]["id"] for entry in refusals(home)}
    assert kept == ({f"chatcmpl-{number}" for number in range(1, 40)} if too_long else set())
