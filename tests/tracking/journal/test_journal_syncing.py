"""When the journal syncs, who waits for it, and what becomes of lines whose sync failed."""

import contextlib
import errno
import os
import threading
from pathlib import Path

import pytest
from journals import LINES, content, eventually, locked

from tracking import LedgerError
from tracking.journal.writer import JournalWriter, encode_line


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
    monkeypatch.setattr("tracking.journal.writer.SYNC_SECONDS", 3600)
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
            assert self.let_go.wait(300)
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
    assert disk.entered.wait(300)
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
    monkeypatch.setattr("tracking.journal.writer.SYNC_SECONDS", 0.01)
    monkeypatch.setattr("tracking.journal.writer.UNSYNCED_BYTES", 1000)
    writer = JournalWriter(directory, "interval", rotate_bytes=2000)
    lines = [encode_line(b'{"n":%d}' % number) for number in range(500)]
    writer.append(lines[0])
    assert disk.entered.wait(300)
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
    monkeypatch.setattr("tracking.journal.writer.SYNC_SECONDS", 0.01)
    disk.failing = 6
    writer = JournalWriter(directory, "interval")
    writer.append(LINES[0])
    assert eventually(lambda: disk.synced)
    writer.close()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "cannot be synced: Input/output error" in caplog.text
