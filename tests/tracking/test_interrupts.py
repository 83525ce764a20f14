"""A signal's handler that raises (a time limit, Ctrl-C), or a fork nobody told of: the row is whole, or it raises."""

import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from journals import JournalReader, record, run
from provider_answers import CHAT

import tracking
from tracking import CostTracker
from tracking.interrupts import interrupt_behind
from tracking.journal.writer import decode_line
from tracking.many_calls import GivenCall

OURS = str(Path(tracking.__file__).parent)


class TimeLimit(Exception):
    """As Celery's and RQ's soft time limits are."""


class CheckedTimeLimit(AssertionError):
    """As timeout-decorator's is; pydantic takes one for a validator's own."""


class ValueLimit(ValueError):
    """Likewise."""


KINDS = (TimeLimit, TimeoutError, CheckedTimeLimit, ValueLimit, RuntimeError, KeyError, KeyboardInterrupt)


@contextmanager
def interrupted_at(number: int, kind: type[BaseException], *, within: str = OURS) -> Iterator[list[BaseException]]:
    """Raise at the n-th line that code below `within` comes to, as a signal's handler would; yields what was raised."""
    raised: list[BaseException] = []
    left = number

    def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        nonlocal left
        if not frame.f_code.co_filename.startswith(within):
            return None
        if event == "line" and not raised:
            left -= 1
            if left < 0:
                raised.append(kind("interrupted"))
                raise raised[0]
        return trace

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        yield raised
    finally:
        sys.settrace(outer)


def interrupt_everywhere(call: Callable[[int], object], kind: type[BaseException], step: int = 1) -> dict[int, Any]:
    """Do a call again and again, interrupted at one line after the other; what those returned that returned.

    Whatever was raised must have reached us. Not every call goes the longest way.
    """
    returned: dict[int, Any] = {}
    uninterrupted = 0
    for number in range(0, 100_000, step):
        caught: BaseException | None = None
        with interrupted_at(number, kind) as raised:
            try:
                returned[number] = call(number)
            except BaseException as error:
                caught = error
        if not raised:
            assert caught is None, caught
            uninterrupted += 1
            if uninterrupted == 20:
                return returned
            continue
        assert caught is raised[0], f"at line {number}: {raised[0]!r} became {caught!r}"
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_at_any_line_before_the_disk_reaches_the_caller(home: Path, kind: type[BaseException]) -> None:
    """From the answer to the journal's line: none passes for a refusal, none leaves half a line for a whole one."""
    given = {"llm_response": CHAT, "user": 1, "trackable": ("A", 1), "request_type": "generate_rubric", "prompt": "p"}
    with CostTracker(home, on_error="log") as tracker:
        record(tracker, -1)

        def row(_: int) -> object:
            try:
                return tracker._row(GivenCall(dict(given), {}))
            except BaseException as error:
                raise (interrupt_behind(error) or error) from None

        lines = interrupt_everywhere(row, kind, step=3)
        assert lines
        for row, line in lines.values():
            assert json.loads(decode_line(line[:-1]) or b"")["cost_usd"] == f"{row.cost_usd:f}"


def test_a_time_limit_amid_recording_loses_no_acknowledged_row(home: Path, journal_records: JournalReader) -> None:
    """A real timer, thousands of times: what was acknowledged is whole, what was not has raised."""
    acknowledged: list[str] = []
    raised = 0

    def out_of_time(*_: object) -> None:
        raise TimeLimit

    before = signal.signal(signal.SIGALRM, out_of_time)
    try:
        with CostTracker(home, durability="process", on_error="log") as tracker:
            for number in range(4000):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 1e-6 + (number % 97) * 2e-6)
                    done = record(tracker, number)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except TimeLimit:
                    raised += 1
                else:
                    assert done is not None, "an interrupt was taken for a refused call"
                    acknowledged.append(done.record_id)
            assert tracker.errors == 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert raised > 100
    written = Counter(row["record_id"] for row in journal_records(home))
    assert set(acknowledged) <= written.keys()


FORK_IN_C = """
import ctypes, os, sys, threading
sys.path.insert(0, {tests!r})
from journals import record
from tracking import CostTracker
tracker = CostTracker({home!r}, durability={durability!r})
record(tracker, 1)
held = tracker._journal._lock if {held} else threading.Lock()
with held:
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        record(tracker, 2)
        tracker.flush()
        os._exit(0)
record(tracker, 3)
tracker.close()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("durability", ["process", "interval", "always"])
def test_a_child_forked_in_c_writes_a_journal_of_its_own(
    home: Path, journal_records: JournalReader, durability: str, held: bool
) -> None:
    """As uWSGI forks its workers: no hook of Python's runs, and a lock held at that moment is held for ever."""
    run(FORK_IN_C, home=str(home), durability=durability, held=held)
    assert len(journal_records(home)) == 3
    writers = {path.name.split("-")[-2] for path in (home / "journal").iterdir()}
    assert len(writers) == 2
