"""The journal keeps what it acknowledged: whole lines, under threads, forks, kills, full disks and failing syncs."""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_answers import CHAT

from tracking import CostTracker, LedgerError
from tracking.journal import JournalWriter, decode_line, encode_line

JournalReader = Callable[[Path], list[dict[str, Any]]]


def record(tracker: CostTracker, number: int = 0, **options: Any) -> Any:
    answer = CHAT | {"id": f"r-{os.getpid()}-{threading.get_ident()}-{number}"}
    return tracker.record(
        llm_response=answer,
        trackable=("Assignment", number),
        user=number,
        request_type="generate_rubric",
        prompt=f"prompt {number}",
        **options,
    )


def journals(home: Path) -> list[Path]:
    return sorted((home / "journal").iterdir())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "journal"
    directory.mkdir()
    return directory


def content(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime_ns))


@given(st.binary().filter(lambda text: b"\n" not in text))
def test_a_line_comes_back_and_no_other_line_does(text: bytes) -> None:
    line = encode_line(text)
    assert line == b"%08x " % crc32(text) + text + b"\n"
    assert decode_line(line[:-1]) == text
    for place in range(0, len(line) - 1, 7):
        flipped = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 : -1]
        assert decode_line(flipped) != text or flipped[:8].lower() == line[:8]


@pytest.mark.parametrize("line", [b"", b"0", b"00000000", b"zzzzzzzz {}", b"00000000_{}", b"ffffffff {}"])
def test_what_is_no_line_is_none(line: bytes) -> None:
    assert decode_line(line) is None


def test_a_file_is_named_by_its_writer_and_holds_the_lines_in_order(home: Path) -> None:
    with CostTracker(home) as tracker:
        records = [record(tracker, number) for number in range(5)]
        (path,) = journals(home)
        assert re.fullmatch(rf"[A-Za-z0-9._-]+-{os.getpid()}-[0-9a-f]{{32}}\.log", path.name)
    lines = path.read_bytes().splitlines()
    assert [json.loads(line[9:])["record_id"] for line in lines] == [row.record_id for row in records]


def test_one_record_is_one_write(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    real = os.write

    def counting(descriptor: int, data: bytes) -> int:
        written.append(bytes(data))
        return real(descriptor, data)

    with CostTracker(home) as tracker:
        record(tracker, 0)
        monkeypatch.setattr(os, "write", counting)
        for number in range(1, 4):
            record(tracker, number)
        monkeypatch.undo()
    assert len(written) == 3
    assert journals(home)[0].read_bytes().endswith(b"".join(written))


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


def locked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


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


def test_after_close_a_new_file_is_opened(home: Path, journal_records: JournalReader) -> None:
    with CostTracker(home) as tracker:
        for number in range(3):
            record(tracker, number)
            tracker.close()
    assert len(journals(home)) == 3
    assert len(journal_records(home)) == 3


def test_a_full_file_is_followed_by_another(directory: Path) -> None:
    writer = JournalWriter(directory, rotate_bytes=100)
    lines = [encode_line(b'{"n":%d}' % number) for number in range(50)]
    for line in lines:
        writer.append(line)
    writer.close()
    sizes = [path.stat().st_size for path in directory.iterdir()]
    assert max(sizes) <= 100
    assert len(sizes) > 5
    assert sorted(content(directory).splitlines(keepends=True)) == sorted(lines)


def test_a_line_larger_than_a_file_is_written_all_the_same(directory: Path) -> None:
    writer = JournalWriter(directory, rotate_bytes=100)
    line = encode_line(b"x" * 1000)
    writer.append(line)
    writer.append(line)
    writer.close()
    assert [path.stat().st_size for path in directory.iterdir()] == [len(line)] * 2


FULL_DISK = """
import json, resource, sys
sys.path.insert(0, {tests!r})
from provider_answers import CHAT
from tracking import CostTracker, LedgerError
def record(prompt):
    return tracker.record(llm_response=CHAT | {{"id": None}}, trackable=("A", 1), user=1,
                          request_type="generate_rubric", prompt=prompt).record_id
with CostTracker({home!r}, durability={durability!r}) as tracker:
    kept = [record("small"), record("small")]
    (journal,) = (tracker.home.journal).iterdir()
    size = journal.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2000, resource.RLIM_INFINITY))
    try:
        record("long" * 5000)
    except LedgerError as error:
        print(error, file=sys.stderr)
    else:
        sys.exit("the disk was not full")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    kept.append(record("small"))
print(json.dumps(kept))
"""


def run(code: str, **values: str) -> "subprocess.CompletedProcess[str]":
    code = code.format(tests=str(Path(__file__).parent), **values)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("durability", ["process", "interval", "always"])
def test_a_write_the_disk_takes_half_of_is_taken_back(
    home: Path, journal_records: JournalReader, durability: str
) -> None:
    done = run(FULL_DISK, home=str(home), durability=durability)
    assert done.returncode == 0, done.stderr
    assert re.search(r"journal .*\.log refused a record: File too large", done.stderr)
    assert [row["record_id"] for row in journal_records(home)] == json.loads(done.stdout)
    assert len(journals(home)) == 1
    (refused,) = [json.loads(line) for file in (home / "quarantine").iterdir() for line in file.open()]
    assert refused["answer"]["usage"] == CHAT["usage"]


def test_a_half_write_that_cannot_be_taken_back_ends_its_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(directory)
    first, torn, last = (encode_line(b'{"n":%d}' % number) for number in range(3))
    writer.append(first)
    real = os.write

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "no truncating either")

    def write_half(descriptor: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", refuse)
        return real(descriptor, data[:10])

    monkeypatch.setattr(os, "write", write_half)
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(LedgerError, match="refused a record"):
        writer.append(torn)
    monkeypatch.undo()
    writer.append(last)
    writer.close()
    files = [path.read_bytes() for path in directory.iterdir()]
    assert first + torn[:10] in files
    assert any(file.endswith(last) and torn[:10] not in file for file in files)


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


class Disk:
    """The real `fdatasync`, counted, and failing while it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[int] = []
        self.failing = 0
        real = os.fdatasync

        def fdatasync(descriptor: int) -> None:
            if self.failing:
                self.failing -= 1
                raise OSError(errno.EIO, "Input/output error")
            self.synced.append(os.fstat(descriptor).st_size)
            real(descriptor)

        monkeypatch.setattr(os, "fdatasync", fdatasync)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


LINES = [encode_line(b'{"n":%d}' % number) for number in range(6)]


def test_always_syncs_before_it_returns(directory: Path, disk: Disk) -> None:
    writer = JournalWriter(directory, "always")
    for count, line in enumerate(LINES, start=1):
        writer.append(line)
        assert disk.synced == [len(LINES[0]) * number for number in range(1, count + 1)]
    writer.close()


def test_process_leaves_syncing_to_the_kernel(directory: Path, disk: Disk) -> None:
    writer = JournalWriter(directory, "process")
    for line in LINES:
        writer.append(line)
    writer.close()
    assert disk.synced == []


def eventually(happened: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 10
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(happened())


def test_interval_syncs_by_itself_also_after_it_was_closed_and_opened_again(directory: Path, disk: Disk) -> None:
    writer = JournalWriter(directory, "interval")
    writer.append(LINES[0])
    assert eventually(lambda: disk.synced == [len(LINES[0])])
    writer.close()
    writer.append(LINES[1])
    assert eventually(lambda: disk.synced == [len(LINES[0])] * 2)
    writer.append(LINES[2])
    writer.flush()
    assert disk.synced[-1] == 2 * len(LINES[0])
    writer.close()


def test_a_writer_nobody_holds_any_more_syncs_lets_go_and_stops_its_thread(directory: Path, disk: Disk) -> None:
    writer = JournalWriter(directory, "interval")
    writer.append(LINES[0])
    syncer = writer._syncer
    assert syncer is not None
    assert syncer.is_alive()
    del writer
    (path,) = directory.iterdir()
    assert eventually(lambda: not locked(path))
    assert eventually(lambda: not syncer.is_alive())
    assert disk.synced == [len(LINES[0])]


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


def test_after_a_failed_sync_what_was_unsynced_is_written_anew_and_its_file_left(directory: Path, disk: Disk) -> None:
    writer = JournalWriter(directory, "always")
    writer.append(LINES[0])
    disk.failing = 1
    writer.append(LINES[1])
    assert disk.synced == [len(LINES[0]), len(LINES[1])]
    writer.append(LINES[2])
    writer.close()
    contents = sorted(path.read_bytes() for path in directory.iterdir())
    assert contents == [LINES[0] + LINES[1], LINES[1], LINES[2]]


def test_a_line_that_cannot_be_synced_is_not_acknowledged(directory: Path, disk: Disk) -> None:
    writer = JournalWriter(directory, "always")
    disk.failing = 2
    with pytest.raises(LedgerError, match=r"journal in .* cannot be synced: Input/output error"):
        writer.append(LINES[0])
    writer.append(LINES[1])
    writer.close()
    assert set(disk.synced) == {len(LINES[1])}
    assert sorted(path.read_bytes() for path in directory.iterdir()) == [b"", LINES[0], LINES[1]]


def test_a_disk_that_cannot_sync_is_told_until_it_can_and_nothing_is_forgotten(
    directory: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.journal.SYNC_SECONDS", 3600)
    writer = JournalWriter(directory, "interval")
    writer.append(LINES[0])
    disk.failing = 3
    for _ in range(2):
        with pytest.raises(LedgerError, match="cannot be synced: Input/output error"):
            writer.flush()
    assert disk.synced == []
    writer.append(LINES[1])
    writer.flush()
    assert disk.synced == [len(LINES[0] + LINES[1])]
    writer.append(LINES[2])
    writer.close()
    assert disk.synced[-1] == len(LINES[1] + LINES[2])


class SlowDisk:
    """An `fdatasync` that waits until it is let go, then fails or not; knows what was synced when it returned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.let_go = threading.Event()
        self.entered = threading.Event()
        self.calls = 0
        self.fails = False
        self.synced: dict[int, int] = {}
        real = os.fdatasync

        def fdatasync(descriptor: int) -> None:
            self.calls += 1
            status = os.fstat(descriptor)
            self.entered.set()
            assert self.let_go.wait(30)
            if self.fails:
                raise OSError(errno.EIO, "Input/output error")
            real(descriptor)
            self.synced[status.st_ino] = max(status.st_size, self.synced.get(status.st_ino, 0))

        monkeypatch.setattr(os, "fdatasync", fdatasync)


def test_one_sync_serves_all_who_wait_and_none_is_acknowledged_before_it(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in every group commit: a line that came while a sync was under way waits for the next one."""
    disk = SlowDisk(monkeypatch)
    writer = JournalWriter(directory, "always")
    lines = {number: encode_line(b'{"n":%d}' % number) for number in range(8)}
    unsynced: list[int] = []

    def work(number: int) -> None:
        writer.append(lines[number])
        (path,) = directory.iterdir()
        place = path.read_bytes().index(lines[number]) + len(lines[number])
        if disk.synced.get(path.stat().st_ino, 0) < place:
            unsynced.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in lines]
    threads[0].start()
    assert disk.entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    assert eventually(lambda: len(content(directory)) == sum(map(len, lines.values())))
    assert all(thread.is_alive() for thread in threads)
    disk.let_go.set()
    for thread in threads:
        thread.join()
    assert disk.calls == 2
    assert unsynced == []
    writer.close()


def test_who_appends_does_not_wait_for_the_background_sync(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even to rotate; and what is kept for a rewrite stays within bounds while the disk hangs and then fails."""
    disk = SlowDisk(monkeypatch)
    monkeypatch.setattr("tracking.journal.SYNC_SECONDS", 0.01)
    monkeypatch.setattr("tracking.journal.UNSYNCED_BYTES", 1000)
    writer = JournalWriter(directory, "interval", rotate_bytes=2000)
    lines = [encode_line(b'{"n":%d}' % number) for number in range(500)]
    writer.append(lines[0])
    assert disk.entered.wait(10)
    for line in lines[1:]:
        writer.append(line)
    assert 900 < writer._copied_bytes <= 1000
    assert len(list(directory.iterdir())) > 3
    disk.fails = True
    disk.let_go.set()
    assert eventually(lambda: disk.calls > 3)
    with pytest.raises(LedgerError, match="cannot be synced"):
        writer.flush()
    assert writer._copied_bytes <= 1000
    disk.fails = False
    with contextlib.suppress(LedgerError):
        writer.flush()
    assert writer._copied_bytes == 0
    writer.flush()
    writer.close()
    assert set(content(directory).splitlines(keepends=True)) == set(lines)


def test_a_disk_that_keeps_failing_is_told_once_and_asked_less_often(
    directory: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tracking.journal.SYNC_SECONDS", 0.01)
    disk.failing = 6
    writer = JournalWriter(directory, "interval")
    writer.append(LINES[0])
    assert eventually(lambda: disk.synced)
    writer.close()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "cannot be synced: Input/output error" in caplog.text


def test_several_lines_are_one_write_and_all_or_none(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(directory)
    real = os.write
    sizes: list[int] = []

    def once_then_full(descriptor: int, data: bytes) -> int:
        if sizes:
            raise OSError(errno.ENOSPC, "No space left on device")
        sizes.append(len(data))
        return real(descriptor, data[: len(LINES[0]) + 3])

    writer.append_many([])
    writer.append(LINES[0])
    monkeypatch.setattr(os, "write", once_then_full)
    with pytest.raises(LedgerError, match="No space left on device"):
        writer.append_many(LINES[1:])
    monkeypatch.setattr(os, "write", lambda descriptor, data: sizes.append(len(data)) or real(descriptor, data))
    writer.append_many(LINES[1:])
    writer.close()
    assert sizes == [sum(map(len, LINES[1:]))] * 2
    # Whole lines were taken back, which a sealer may have read: what follows stands in another file.
    assert sorted(path.read_bytes() for path in directory.iterdir()) == [LINES[0], b"".join(LINES[1:])]


def test_a_journal_somebody_deleted_is_not_written_to(directory: Path) -> None:
    writer = JournalWriter(directory)
    writer.append(LINES[0])
    (path,) = directory.iterdir()
    path.unlink()
    writer.append(LINES[1])
    assert content(directory) == LINES[1]
    shutil.rmtree(directory)
    with pytest.raises(LedgerError, match="No such file or directory"):
        writer.append(LINES[2])
    directory.mkdir()
    writer.append(LINES[3])
    writer.close()
    assert content(directory).endswith(LINES[3])


def test_a_file_system_without_locks_is_refused_with_advice(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(LedgerError, match=r"has no locks .*: put LLM_COST_HOME on a local disk"):
        JournalWriter(directory).append(LINES[0])
    assert list(directory.iterdir()) == []


SIGNALS = """
import signal, sys, time
from pathlib import Path
from tracking.journal import JournalWriter, encode_line
writer = JournalWriter(Path({directory!r}), {durability!r}, rotate_bytes=20_000)
acknowledged, handled, appending = [], 0, False
class Interrupted(Exception): pass
def append(name, number):
    line = encode_line(b'{{"%s":%d}}' % (name, number))
    writer.append(line)
    acknowledged.append(line)
def handle(*_):
    global handled
    handled += 1
    append(b"signal", handled)
    if handled % 7 == 0:
        writer.flush()
    if handled % 50 == 0:
        writer.close()
    # The next one only now: on a slow disk they would nest without end.
    arm()
    if handled % 3 == 0 and appending:
        raise Interrupted
def arm():
    signal.setitimer(signal.ITIMER_REAL, 0.0005 if handled < {times} else 0)
signal.signal(signal.SIGALRM, handle)
arm()
started, number = time.monotonic(), 0
while handled < {times}:
    number += 1
    try:
        appending = True
        append(b"main", number)
        appending = False
    except Interrupted:
        appending = False
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
    script.write_text(MULTIPROCESSING.format(tests=str(Path(__file__).parent), home=str(home), method=method))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")[:-1]) == sorted(f"synced {path.stat().st_size}" for path in journals(home))
    assert sorted(row["user_id"] for row in journal_records(home)) == ["0", "1"]


LATE = """
import atexit, os, sys
from pathlib import Path
late = lambda: writer.append(encode_line(b'{{"late":1}}'))
atexit.register(late)
from tracking.journal import JournalWriter, encode_line
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


def test_a_directory_that_is_gone_is_a_clear_error(directory: Path) -> None:
    directory.rmdir()
    writer = JournalWriter(directory)
    with pytest.raises(LedgerError, match=r"journal .*journal refused a record: No such file or directory"):
        writer.append(LINES[0])
    directory.mkdir()
    writer.append(LINES[0])
    writer.close()
    assert content(directory) == LINES[0]
