"""The journal's files: whole lines in the order they came, full ones followed by others, refused ones told of."""

import errno
import fcntl
import json
import os
import re
import shutil
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import LINES, JournalReader, content, journals, record, run
from provider_answers import CHAT

from tracking import CostTracker, LedgerError
from tracking.journal.writer import JournalWriter, decode_line, encode_line


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


SMALL_FILES = """
import resource, sys
sys.path.insert(0, {tests!r})
from journals import record
from tracking import CostTracker
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
with CostTracker({home!r}, durability={durability!r}) as tracker:
    print(*[record(tracker, number).record_id for number in range(50)])
"""


@pytest.mark.parametrize("durability", ["process", "interval", "always"])
def test_where_files_may_not_grow_recording_goes_on_in_more_of_them(
    home: Path, journal_records: JournalReader, durability: str
) -> None:
    done = run(SMALL_FILES, home=str(home), durability=durability)
    assert done.returncode == 0, done.stderr
    assert sorted(row["record_id"] for row in journal_records(home)) == sorted(done.stdout.split())
    assert len(journals(home)) > 5
    assert all(path.stat().st_size <= 4000 for path in journals(home))
    assert list((home / "quarantine").iterdir()) == []


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


def test_a_home_made_anew_under_a_living_tracker_has_its_prices_and_its_key(home: Path) -> None:
    with CostTracker(home, durability="process") as tracker:
        record(tracker, 1)
        kept = sorted(path.name for path in (home / "prices").iterdir())
        shutil.rmtree(home)
        with pytest.raises(LedgerError, match=rf"{home}.*No such file or directory"):
            record(tracker, 2)
        CostTracker(home).close()
        record(tracker, 3)
        record(tracker, 4)
    assert sorted(path.name for path in (home / "prices").iterdir()) == kept
    assert kept
    assert (home / "keys" / "prompt.key").exists()


def test_a_file_system_without_locks_is_refused_with_advice(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(LedgerError, match=r"has no locks .*: put LLM_COST_HOME on a local disk"):
        JournalWriter(directory).append(LINES[0])
    assert list(directory.iterdir()) == []


def test_a_directory_that_is_gone_is_a_clear_error(directory: Path) -> None:
    directory.rmdir()
    writer = JournalWriter(directory)
    with pytest.raises(LedgerError, match=r"journal .*journal refused a record: No such file or directory"):
        writer.append(LINES[0])
    directory.mkdir()
    writer.append(LINES[0])
    writer.close()
    assert content(directory) == LINES[0]
