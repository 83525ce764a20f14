"""A fork while another thread is in its first `record()`: by Python, and in C, as uWSGI and native libraries fork.

The child begins with whatever locks that thread held, and nobody to let go of them. It records all the same, and in
time; nothing of its parent's is lost or written twice.

In C the fork comes while that thread waits for the disk, at its n-th request. While a thread wants the interpreter's
lock, no child forked in C is safe: one of CPython alone, without any of this, hung 13 times in 60.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from books import LONG, Call, Tally, sealed_and_visible

TRIALS = 400 if LONG else 15
FIRST_USE = """
import ctypes, faulthandler, fcntl, os, random, sys, threading, time
sys.path.insert(0, {here!r})
import books
from tracking import CostTracker

fork = os.fork if {by_python} else ctypes.PyDLL(None).fork
chance = random.Random(1)
waiting = threading.Event()

def wait_at(request):
    # The disk takes its time for the n-th request of the thread: it holds its locks, and does not want Python's.
    thread, left = threading.current_thread(), [request]

    def slow(function):
        def call(*arguments, **options):
            if threading.current_thread() is thread:
                left[0] -= 1
                if left[0] == 0:
                    waiting.set()
                    time.sleep(0.1)
            return function(*arguments, **options)
        return call

    for name in ("open", "write", "fstat", "fdatasync", "fsync", "close"):
        setattr(os, name, slow(getattr(os, name)))
    fcntl.flock = slow(fcntl.flock)

def record(tracker, writer, number=0):
    books.record(tracker, books.Call(writer, number))
    with open(os.path.join({notes!r}, writer), "ab", buffering=0) as note:
        note.write(b"%d " % number)

def trial(name):
    # Nobody has recorded in this process or before it.
    tracker = CostTracker({home!r}, durability=chance.choice(("process", "interval", "always")))
    def record_first():
        if not {by_python}:
            wait_at(int(name.partition("-")[2]) % 15 + 1)
        record(tracker, name + "-thread")
        waiting.set()

    thread = threading.Thread(target=record_first)
    if {by_python}:
        sys.setswitchinterval(1e-6)
    thread.start()
    if {by_python}:
        # Not by the clock: each time the thread comes a few steps further.
        for _ in range(chance.randrange(400)):
            time.sleep(0)
    else:
        waiting.wait()
    children = []
    for child in range(2):
        process = fork()
        if process == 0:
            end_if_it_hangs()
            record(tracker, name + "-child-%d" % child)
            record(tracker, name + "-child-%d" % child, 1)
            os._exit(0)
        children.append(process)
    record(tracker, name + "-main")
    thread.join()
    for process in children:
        assert wait(process) == 0, "a child hangs or fails"
    os._exit(0)

def end_if_it_hangs():
    # Whoever waits for a child that hangs would wait for ever; so it says where, and ends.
    faulthandler.dump_traceback_later(300, exit=True)

def wait(process):
    return os.waitpid(process, 0)[1]

CostTracker({home!r}).close()  # loads, as an application's does in the process that forks; and records nothing
for number in range({trials}):
    chance = random.Random(number)
    process = os.fork()
    if process == 0:
        try:
            trial("trial-%d" % number)
        finally:
            os._exit(1)
    assert wait(process) == 0, "trial %d hangs or fails" % number
"""


@pytest.mark.parametrize("by_python", [True, False], ids=["by Python", "in C"])
def test_a_fork_during_the_first_record(by_python: bool, tmp_path: Path, tally: Tally) -> None:
    home, notes = tmp_path / "home", tmp_path / "notes"
    notes.mkdir()
    here = str(Path(__file__).parents[1])
    code = FIRST_USE.format(here=here, home=str(home), notes=str(notes), by_python=by_python, trials=TRIALS)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    acknowledged = [Call(note.name, int(number)) for note in notes.iterdir() for number in note.read_text().split()]
    assert len(acknowledged) == TRIALS * 6
    tally.count(sealed_and_visible(home), acknowledged)
    tally.trials = TRIALS
