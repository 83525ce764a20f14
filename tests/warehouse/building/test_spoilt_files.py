"""What a build reads is checked before anything is made of it; what it made itself it makes again. None runs dbt."""

import errno
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest
from ledgers import record, record_month

from tracking import CostTracker, LedgerError
from tracking.home import Home
from warehouse.building.build import prepare, prepare_or_renew
from warehouse.building.build_file import is_spoilt, unusable
from warehouse.causes import disk_line, in_one_line
from warehouse.sealing.seal import seal


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Its first `prepare` prices calls on other models, which takes six seconds; those of its copies do not."""
    home = Home(tmp_path_factory.mktemp("prepared") / "home")
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        record_month(tracker, 3)
    seal(home)
    prepare(home)
    return home


@pytest.fixture
def ledger(prepared: Home, home: Path) -> Home:
    shutil.copytree(prepared.root, home)
    prepare(Home(home))
    return Home(home)


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("place", [200, None])
def test_a_flipped_byte_of_a_segment_stops_the_next_build_and_names_the_file(ledger: Home, place: int | None) -> None:
    """Wherever it is: DuckDB reads most of them without a word."""
    file = sorted(ledger.usage.glob("*/*.parquet"))[-1]
    flip(file, file.stat().st_size // 2 if place is None else place)
    for _ in range(2):
        with pytest.raises(LedgerError, match=rf"segments cannot be read: {re.escape(str(file))} is damaged"):
            prepare(ledger)
    flip(file, file.stat().st_size // 2 if place is None else place)
    prepare(ledger)


def test_a_byte_the_disk_lost_by_itself_is_found_when_all_is_built_anew(ledger: Home) -> None:
    """Nobody wrote to the file: its size and times are what they were."""
    file = sorted(ledger.usage.glob("*/*.parquet"))[0]
    with duckdb.connect(ledger.build_database) as connection:
        flip(file, 200)
        status = file.stat()
        state = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        name = file.relative_to(ledger.usage).as_posix()
        connection.execute("update ledger.int_intact_segments set state = ? where file = ?", [state, name])
    prepare(ledger)
    with pytest.raises(LedgerError, match="is damaged, its SHA-256 is"):
        prepare(ledger, read_every_byte=True)


def test_each_segment_is_hashed_once(ledger: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    real = sys.modules["warehouse.sources.intact_segments"].sha256_of
    monkeypatch.setattr(
        "warehouse.sources.intact_segments.sha256_of", lambda path: (hashed.append(path), real(path))[1]
    )
    prepare(ledger)
    assert hashed == []
    with CostTracker(ledger.root) as tracker:
        record(tracker)
    seal(ledger)
    prepare(ledger)
    assert len(hashed) == 1
    prepare(ledger, read_every_byte=True)
    assert len(hashed) == 1 + len(list(ledger.usage.glob("*/*.parquet")))


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def spoil_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0x4000:] = os.urandom(len(content) - 0x4000)
    path.write_bytes(content)


def garbage_in_the_log(path: Path) -> None:
    path.with_name(f"{path.name}.wal").write_bytes(os.urandom(5000))


@pytest.mark.parametrize("spoil", [garbage, cut_off, spoil_pages, garbage_in_the_log])
def test_a_spoilt_build_file_is_made_anew(ledger: Home, spoil: Callable[[Path], None]) -> None:
    def rows() -> list[tuple[object, ...]]:
        with duckdb.connect(ledger.build_database, read_only=True) as built:
            return built.execute("from ledger.segments order by all").fetchall()

    wanted = rows()
    spoil(ledger.build_database)
    prepare_or_renew(ledger)
    assert rows() == wanted


def test_a_build_file_that_another_process_has_open_is_not_removed(ledger: Home) -> None:
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(ledger.build_database)]
    inode = ledger.build_database.stat().st_ino
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "open\n"
        with pytest.raises(
            LedgerError, match=rf"another process has it open.*PID {other.pid}\); close it there"
        ) as error:
            prepare_or_renew(ledger)
        assert "\n" not in str(error.value)
        assert "delete" not in str(error.value)
        other.communicate()
    prepare_or_renew(ledger)
    assert ledger.build_database.stat().st_ino == inode


def test_a_full_disk_is_named_as_such_and_spoils_nothing(ledger: Home) -> None:
    error = duckdb.IOException('IO Error: Could not write file "x": No space left on device')
    told = unusable(ledger, error)
    assert "no space is left on the disk" in str(told)
    assert "delete" not in str(told)
    assert not is_spoilt(told)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "no space is left on the disk"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "no space is left on the disk"),
        (sqlite3.OperationalError("database or disk is full"), "no space is left on the disk"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), "the disk fails"),
        (sqlite3.OperationalError("disk I/O error"), "the disk fails"),
        (duckdb.IOException('IO Error: Could not read from file "x": Input/output error'), "the disk fails"),
        (pl.exceptions.ComputeError("Input/output error (os error 5)"), "the disk fails"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "the disk is read-only"),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG)), "no file may grow further here"),
    ],
    ids=str,
)
def test_what_the_disk_refuses_is_named_first(error: Exception, cause: str) -> None:
    assert in_one_line(error).startswith(cause)
    assert disk_line(f"Running with dbt\n  1 of 2 ERROR {error}\nDone") == in_one_line(f"1 of 2 ERROR {error}")
    assert disk_line("Running with dbt\nDone") is None
