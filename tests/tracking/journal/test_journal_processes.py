"""The journal keeps what it acknowledged: under threads, coroutines, forks, signals, kills, and at a process's end."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journals import JournalReader, journals, locked, record, run

from tracking import CostTracker
from tracking.journal.writer import decode_line


def test_threads_write_whole_lines(home: Path, journal_records: JournalReader) -> None:
    ids: list[str] = []
    with CostTracker(home) as tracker:

        def work() -> None:
            ids.extend([record(tracker, number).record_id for number in range(200)])

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(journals(home)) == 1
    written = [row["record_id"] for row in journal_records(home)]
    assert len(written) == 8 * 200
    assert sorted(written) == sorted(ids)


@pytest.mark.parametrize("durability", ["interval", "always"])
def test_coroutines_record_side_by_side(home: Path, journal_records: JournalReader, durability: Any) -> None:
    async def work(tracker: CostTracker, number: int) -> None:
        await asyncio.sleep(0)
        record(tracker, number)
        await asyncio.to_thread(record, tracker, -number)

    async def main() -> None:
        with CostTracker(home, durability=durability) as tracker:
            await asyncio.gather(*(work(tracker, number) for number in range(1, 40)))

    asyncio.run(main())
    written = sorted(int(row["user_id"]) for row in journal_records(home))
    assert written == [number for number in range(-39, 40) if number]


def forked(work: Callable[[], None]) -> int:
    """Run `work` in a forked child, without anything of pytest's; its exit code."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            work()
            os._exit(0)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("durability", ["process", "interval", "always"])
def test_a_forked_child_writes_a_file_of_its_own(home: Path, journal_records: JournalReader, durability: Any) -> None:
    with CostTracker(home, durability=durability) as tracker:
        record(tracker, 1)
        (parents,) = journals(home)
        before = parents.read_bytes()

        def work() -> None:
            record(tracker, 2)
            tracker.close()

        assert forked(work) == 0
        assert locked(parents)
        assert parents.read_bytes() == before
        record(tracker, 3)
        assert len(journals(home)) == 2
    assert not locked(parents)
    assert sorted(row["user_id"] for row in journal_records(home)) == ["1", "2", "3"]


def test_a_fork_while_another_thread_writes_does_not_hang(home: Path, journal_records: JournalReader) -> None:
    done = threading.Event()
    with CostTracker(home) as tracker:

        def busy() -> None:
            number = 0
            while not done.is_set():
                record(tracker, number)
                number += 1

        thread = threading.Thread(target=busy)
        thread.start()
        try:
            for _ in range(20):
                assert forked(lambda: record(tracker, -1)) == 0
        finally:
            done.set()
            thread.join()
    assert sum(row["user_id"] == "-1" for row in journal_records(home)) == 20


def test_a_writer_keeps_its_file_locked_until_it_is_closed(home: Path) -> None:
    tracker = CostTracker(home)
    record(tracker)
    (path,) = journals(home)
    assert locked(path)
    tracker.close()
    assert not locked(path)
    tracker.close()


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from provider_answers import CHAT
from tracking import CostTracker
tracker = CostTracker({home!r}, durability={durability!r})
for number in range(20):
    record = tracker.record(llm_response=CHAT | {{"id": None}}, trackable=("A", 1), user=number,
                            request_type="generate_rubric", prompt="p")
    print(record.record_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("durability", ["process", "interval", "always"])
def test_what_was_acknowledged_survives_kill_9(home: Path, journal_records: JournalReader, durability: str) -> None:
    done = run(KILLED, home=str(home), durability=durability)
    assert done.returncode == -signal.SIGKILL
    acknowledged = done.stdout.split()
    assert len(acknowledged) == 20
    assert [row["record_id"] for row in journal_records(home)] == acknowledged
    assert not locked(journals(home)[0])


AT_EXIT = """
import os, sys
sys.path.insert(0, {tests!r})
from provider_answers import CHAT
real = os.fdatasync
def fdatasync(descriptor):
    print("synced", os.fstat(descriptor).st_size, flush=True)
    real(descriptor)
os.fdatasync = fdatasync
from tracking import CostTracker
tracker = CostTracker({home!r})
tracker.record(llm_response=CHAT, trackable=("A", 1), user=1, request_type="generate_rubric", prompt="p")
"""


def test_what_the_last_half_second_held_is_synced_at_exit(home: Path) -> None:
    done = run(AT_EXIT, home=str(home))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"synced {journals(home)[0].stat().st_size}\n"


SIGNALS = """
import signal, sys, time
from pathlib import Path
from tracking.journal.writer import JournalWriter, encode_line
writer = JournalWriter(Path({directory!r}), {durability!r}, rotate_bytes=20_000)
acknowledged, handled, depth, appending = [], 0, 0, False
class Interrupted(Exception): pass
def append(name, number):
    line = encode_line(b'{{"%s":%d}}' % (name, number))
    writer.append(line)
    acknowledged.append(line)
def interrupt_soon():
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
def handle(*_):
    global handled, depth
    handled, depth = handled + 1, depth + 1
    number = handled
    if depth < 3:
        interrupt_soon()
    try:
        append(b"signal", number)
        if number % 7 == 0:
            writer.flush()
        if number % 50 == 0:
            writer.close()
    finally:
        depth -= 1
        interrupt_soon()
    if number % 3 == 0 and appending:
        raise Interrupted
signal.signal(signal.SIGALRM, handle)
interrupt_soon()
number = 0
while handled < {times}:
    number += 1
    try:
        appending = True
        append(b"main", number)
        appending = False
    except Interrupted:
        appending = False
signal.setitimer(signal.ITIMER_REAL, 0)
writer.close()
sys.stdout.buffer.write(b"".join(acknowledged))
"""


@pytest.mark.parametrize("durability", ["process", "interval", "always"])
def test_a_signal_handler_records_flushes_closes_and_raises_in_the_middle_of_an_append(
    directory: Path, durability: str
) -> None:
    done = run(SIGNALS, directory=str(directory), durability=durability, times="300")
    assert done.returncode == 0, done.stderr
    acknowledged = done.stdout.splitlines(keepends=True)
    assert sum("signal" in line for line in acknowledged) > 100
    written: list[str] = []
    for path in directory.iterdir():
        lines = path.read_text().splitlines(keepends=True)
        assert all(decode_line(line[:-1].encode()) for line in lines[:-1])
        written += lines
    assert set(acknowledged) <= set(written)


MULTIPROCESSING = """
import multiprocessing, os, sys
sys.path.insert(0, {tests!r})
from provider_answers import CHAT
from tracking import CostTracker
real = os.fdatasync
def fdatasync(descriptor):
    real(descriptor)
    os.write(1, b"synced %d\\n" % os.fstat(descriptor).st_size)
def work(number):
    os.fdatasync = fdatasync
    tracker = CostTracker({home!r})
    tracker.record(llm_response=CHAT | {{"id": None}}, trackable=("A", 1), user=number,
                   request_type="generate_rubric", prompt="p")
    global kept
    kept = tracker
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    processes = [context.Process(target=work, args=(number,)) for number in range(2)]
    for process in processes: process.start()
    for process in processes: process.join()
    sys.exit(sum(process.exitcode for process in processes))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_sync_as_they_end(
    home: Path, tmp_path: Path, journal_records: JournalReader, method: str
) -> None:
    script = tmp_path / "main.py"
    script.write_text(MULTIPROCESSING.format(tests=str(Path(__file__).parents[1]), home=str(home), method=method))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")[:-1]) == sorted(f"synced {path.stat().st_size}" for path in journals(home))
    assert sorted(row["user_id"] for row in journal_records(home)) == ["0", "1"]


LATE = """
import atexit, os, sys
from pathlib import Path
late = lambda: writer.append(encode_line(b'{{"late":1}}'))
atexit.register(late)
from tracking.journal.writer import JournalWriter, encode_line
real = os.fdatasync
def fdatasync(descriptor):
    print("synced", os.fstat(descriptor).st_size, flush=True)
    real(descriptor)
os.fdatasync = fdatasync
writer = JournalWriter(Path({directory!r}))
"""


def test_what_is_appended_after_the_last_sync_at_exit_is_synced_at_once(directory: Path) -> None:
    done = run(LATE, directory=str(directory))
    assert done.returncode == 0, done.stderr
    (path,) = directory.iterdir()
    assert done.stdout == f"synced {path.stat().st_size}\n"
