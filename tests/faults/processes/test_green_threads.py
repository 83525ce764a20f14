"""gevent and eventlet, with everything patched: greenlets, their pools of native threads, and a fork amid them."""

import subprocess
import sys
from pathlib import Path

import pytest
from books import Call, Tally, sealed_and_visible

GREENLETS, THREADS, EACH = 20, 4, 10
PATCHED = {
    "gevent": """
from gevent import monkey
monkey.patch_all()
import gevent
def in_greenlets(tasks):
    gevent.joinall([gevent.spawn(task) for task in tasks], raise_error=True)
def in_threads(tasks):
    for result in [gevent.get_hub().threadpool.spawn(task) for task in tasks]:
        result.get()
""",
    "eventlet": """
import eventlet
eventlet.monkey_patch()
from eventlet import tpool
def in_greenlets(tasks):
    for greenlet in [eventlet.spawn(task) for task in tasks]:
        greenlet.wait()
def in_threads(tasks):
    for task in tasks:  # eventlet's locks know one native thread at a time
        tpool.execute(task)
""",
}
RECORDING = """
import os, sys, time
from functools import partial
sys.path.insert(0, {here!r})
from books import Call, record
from tracking import CostTracker

def work(writer):
    for number in range({each}):
        record(tracker, Call(writer, number))
        time.sleep(0)

with CostTracker({home!r}, durability={durability!r}) as tracker:
    in_greenlets([partial(work, "greenlet-%d" % number) for number in range({greenlets})])
    in_threads([partial(work, "thread-%d" % number) for number in range({threads})])
    child = os.fork()
    if child == 0:
        work("child")
        tracker.flush()
        os._exit(0)
    work("parent")
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["process", "interval", "always"])
@pytest.mark.parametrize("library", PATCHED)
def test_green_threads_record_like_any_other(library: str, durability: str, tmp_path: Path, tally: Tally) -> None:
    pytest.importorskip(library)
    values = {"each": EACH, "greenlets": GREENLETS, "threads": THREADS, "durability": durability}
    code = RECORDING.format(here=str(Path(__file__).parents[1]), home=str(tmp_path / "home"), **values)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PATCHED[library] + code], capture_output=True, text=True, timeout=600
    )
    assert (done.returncode, done.stderr) == (0, "")
    writers = [
        *(f"greenlet-{number}" for number in range(GREENLETS)),
        *(f"thread-{number}" for number in range(THREADS)),
        *("child", "parent"),
    ]
    tally.count(
        sealed_and_visible(tmp_path / "home"), [Call(each, number) for each in writers for number in range(EACH)]
    )
    assert tally.acknowledged == len(writers) * EACH
