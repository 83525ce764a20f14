"""Signals whose handlers raise amid recording: a time limit by a timer, and Ctrl-C from outside, again and again.

What `record()` or `record_many()` returned for is there once; what raised is recorded again under its id, and counts
once too.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from books import LONG, Call, Tally, sealed_and_visible

from tracking.home import Home
from warehouse.integrity.verify import verify

CALLS = 45_000 if LONG else 700
"""How many calls there are at least; there are more until enough of them were interrupted, however fast they are."""
INTERRUPTED = """
import os, random, signal, sys, threading, time
sys.path.insert(0, {here!r})
from books import Call, record
from tracking import CostTracker

class TimeLimit(Exception):
    pass

def out_of_time(*_):
    raise TimeLimit

chance = random.Random({durability!r})
armed = False
longest = 4e-4  # seconds until the timer: as long as a call takes on this machine, found by trying

def ctrl_c(*_):
    # Once for each call: what Python's own handler raises in an `except` below would end the program.
    global armed
    if armed:
        armed = False
        raise KeyboardInterrupt

signal.signal(signal.SIGALRM, out_of_time)
signal.signal(signal.SIGINT, ctrl_c)
done = threading.Event()

def press_ctrl_c():
    while not done.wait(chance.uniform(0.0005, 0.02)):
        os.kill(os.getpid(), signal.SIGINT)

def interrupted(number):
    # Whatever stands between here and the handler is inside record(): the timer is the only one to end it.
    signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, longest))
    try:
        record(tracker, Call("writer", number))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)

raised = 0
with CostTracker({home!r}, durability={durability!r}, on_error="log") as tracker:
    record(tracker, Call("writer", 0))
    acknowledged = [0]
    if {ctrl_c}:
        threading.Thread(target=press_ctrl_c, daemon=True).start()
    number = 1
    while number < {count} or (raised < {interrupts} and number < 100 * {count}):
        try:
            if {ctrl_c}:
                armed = True
                record(tracker, Call("writer", number))
            else:
                interrupted(number)
            armed = False
            acknowledged.append(number)
            number += 1
            longest *= 0.99
        except (TimeLimit, KeyboardInterrupt):
            raised += 1
            longest *= 1.02
            number += chance.random() < 0.5  # else it is recorded again
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    done.set()
    assert tracker.errors == 0, "an interrupt was taken for a refused call"
sys.stdout.write(" ".join(map(str, [raised, number, *sorted(set(acknowledged))])))
"""


DURABILITIES = ("process", "interval", "always")
KINDS = [("time limit", "process"), ("ctrl-c", "interval")]
ALL_KINDS = [(kind, durability) for kind in ("time limit", "ctrl-c") for durability in DURABILITIES]


@pytest.mark.parametrize(("kind", "durability"), ALL_KINDS if LONG else KINDS)
def test_signals_that_raise_amid_recording(kind: str, durability: str, tmp_path: Path, tally: Tally) -> None:
    count = CALLS // (1 if durability == "process" else 3)
    here, home = str(Path(__file__).parents[1]), tmp_path / "home"
    interrupts = count // 50
    values = {"durability": durability, "ctrl_c": kind == "ctrl-c", "count": count, "interrupts": interrupts}
    code = INTERRUPTED.format(here=here, home=str(home), **values)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    raised, last, *acknowledged = map(int, done.stdout.split())
    attempted = [Call("writer", number) for number in range(last + 1)]
    tally.count(sealed_and_visible(home), [Call("writer", number) for number in acknowledged], attempted)
    report = verify(Home(home))
    assert report.clean, report.problems
    tally.trials = raised
    assert raised >= interrupts
