"""A signal's handler that raises (a time limit, Ctrl-C), or a fork nobody told of: the row is whole, or it raises."""

import gc
import json
import signal
import sys
from asyncio import CancelledError
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

import pytest
from journals import JournalReader, record, run
from provider_answers import CHAT

import tracking
from tracking import CostTracker

OURS = str(Path(tracking.__file__).parent)
DISK = tuple(f"{OURS}/{name}" for name in ("journal", "tracker.py", "calls"))


class TimeLimit(Exception):
    """As Celery's and RQ's soft time limits are."""


class CheckedTimeLimit(AssertionError):
    """As timeout-decorator's is; pydantic takes one for a validator's own."""


class ValueLimit(ValueError):
    """Likewise."""


KINDS = (TimeLimit, TimeoutError, CheckedTimeLimit, ValueLimit, RuntimeError, KeyError, KeyboardInterrupt)


@contextmanager
def interrupted_at(
    number: int, handler: Callable[[str], object], within: str | tuple[str, ...] = OURS
) -> Iterator[list[object]]:
    """Call a handler at the n-th line that code below `within` comes to, as a signal does; yields what it returned.

    Raises what it returned, if that is an exception.
    """
    raised: list[object] = []
    left = number

    def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        nonlocal left
        if not frame.f_code.co_filename.startswith(within):
            return None
        if event == "line" and not raised:
            left -= 1
            if left < 0:
                sys.settrace(None)
                raised.append(handler("interrupted"))
                sys.settrace(trace)
                if isinstance(raised[0], BaseException):
                    raise raised[0]
        return trace

    outer = sys.gettrace()
    gc.disable()
    sys.settrace(trace)
    try:
        yield raised
    finally:
        sys.settrace(outer)
        gc.enable()


def interrupt_everywhere(
    call: Callable[[int], object], kind: type[BaseException], within: str | tuple[str, ...], step: int
) -> dict[int, Any]:
    """Do a call again and again, interrupted at one line after the other; what those returned that returned.

    Whatever was raised must have reached us. Not every call goes the longest way.
    """
    gc.collect()  # Python itself swallows what is raised in a finalizer
    returned: dict[int, Any] = {}
    uninterrupted = 0
    for number in range(0, 100_000, step):
        caught: BaseException | None = None
        with interrupted_at(number, kind, within) as raised:
            try:
                returned[number] = call(number)
            except BaseException as error:
                caught = error
        if not raised:
            assert caught is None, caught
            uninterrupted += 1
            if uninterrupted == 10:
                return returned
            continue
        assert caught is raised[0], f"at line {number}: {raised[0]!r} became {caught!r}"
    raise AssertionError("it never came to an end")


def kept_by(home: Path) -> list[str]:
    """Response ids of what is in quarantine."""
    lines = [line for file in (home / "quarantine").iterdir() for line in file.read_text().splitlines()]
    return [json.loads(line)["answer"]["id"] for line in lines]


GIVEN = {"user": 1, "trackable": ("A", 1), "request_type": "generate_rubric", "prompt": "p"}


@pytest.mark.parametrize(
    ("within", "step", "durability"), [(OURS, 7, "interval"), (DISK, 1, "process"), (DISK, 1, "always")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_at_any_line_leaves_the_row_whole_or_kept_and_reaches_the_caller(
    home: Path, journal_records: JournalReader, kind: type[BaseException], within: Any, step: int, durability: Any
) -> None:
    """From the answer to the disk: none passes for a refusal, no row is there in part, or recorded and kept as well."""
    with CostTracker(home, on_error="log", durability=durability) as tracker:

        def call(number: int) -> object:
            return tracker.record(llm_response=CHAT | {"id": f"call-{number}"}, **GIVEN)

        call(-1)
        returned = interrupt_everywhere(call, kind, within, step)
        assert tracker.errors == 0
        other = Thread(target=call, args=(-2,), daemon=True)
        other.start()
        other.join(300)
        assert not other.is_alive(), "an interrupt left a lock held"
    rows = Counter(row["provider_response_id"] for row in journal_records(home))
    assert {row.provider_response_id for row in returned.values()} <= rows.keys()
    assert set(rows.values()) == {1}
    assert not rows.keys() & set(kept_by(home))
    assert within == OURS or len(rows) > len(returned) + 2, "no interrupt came after the row was written"


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_at_any_line_of_many_calls_leaves_each_whole_or_kept_or_unattempted(
    home: Path, journal_records: JournalReader, kind: type[BaseException]
) -> None:
    with CostTracker(home, on_error="log", durability="process") as tracker:

        def call(number: int) -> object:
            return tracker.record_many({"llm_response": CHAT | {"id": f"{number}-{n}"}, **GIVEN} for n in range(3))

        call(-1)
        returned = interrupt_everywhere(call, kind, DISK, step=2)
    rows = Counter(row["provider_response_id"] for row in journal_records(home))
    assert {row.provider_response_id for many in returned.values() for row in many} <= rows.keys()
    assert set(rows.values()) == {1}
    assert not rows.keys() & set(kept_by(home))


def test_a_handler_that_records_amid_recording_at_any_line_records_as_well(
    home: Path, journal_records: JournalReader
) -> None:
    """No lock is re-entered: what is half done belongs to whom the handler interrupted."""
    with CostTracker(home, durability="always") as tracker:
        record(tracker, -1)
        handled = 0
        for number in range(100_000):
            with interrupted_at(number, lambda _, n=number: record(tracker, -2 - n), DISK) as called:
                record(tracker, number)
            if not called:
                break
            handled += 1
    users = Counter(row["user_id"] for row in journal_records(home))
    assert handled > 50
    assert len(users) == 2 * handled + 2
    assert set(users.values()) == {1}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, SystemExit, CancelledError, TimeLimit])
def test_what_the_application_is_handling_is_no_interrupt_of_recording(home: Path, kind: type[BaseException]) -> None:
    """A call is recorded as its block is left: refused or not, nothing is raised that was raised before."""
    with CostTracker(home, durability="process", on_error="log") as tracker:
        try:
            raise kind
        except kind:
            assert record(tracker, 1) is not None
            assert tracker.record(llm_response=CHAT, prompt="p", request_type="generate_rubric") is None
    assert tracker.errors == 1
    assert len(kept_by(home)) == 1


def test_a_time_limit_amid_recording_loses_no_acknowledged_row(home: Path, journal_records: JournalReader) -> None:
    """A real timer, again and again: what was acknowledged is whole, what was not has raised."""
    acknowledged: list[str] = []
    raised = 0
    longest = 1e-3  # seconds until the timer: as long as a call takes on this machine, found by trying

    def out_of_time(*_: object) -> None:
        raise TimeLimit

    gc.collect()
    # Python swallows what is raised in a finalizer, and there may be some of other tests' objects; and in what looks on
    # as garbage is collected, as Hypothesis does.
    gc.freeze()
    watchers, gc.callbacks[:] = gc.callbacks[:], []
    before = signal.signal(signal.SIGALRM, out_of_time)
    try:
        with CostTracker(home, durability="process", on_error="log") as tracker:
            for number in range(50_000):
                if raised >= 500 and len(acknowledged) >= 500:
                    break
                try:
                    signal.setitimer(signal.ITIMER_REAL, 1e-6 + longest * (number % 97) / 96)
                    done = record(tracker, number)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except TimeLimit:
                    raised += 1
                    longest *= 1.02
                else:
                    assert done is not None, "an interrupt was taken for a refused call"
                    acknowledged.append(done.record_id)
                    longest *= 0.99
            assert tracker.errors == 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.callbacks[:] = watchers
        gc.unfreeze()
    assert raised >= 500
    rows = journal_records(home)
    written = Counter(row["record_id"] for row in rows)
    assert set(acknowledged) <= written.keys()
    assert set(written.values()) == {1}
    assert not {row["provider_response_id"] for row in rows} & set(kept_by(home))


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
