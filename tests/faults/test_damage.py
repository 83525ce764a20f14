"""Files that are cut or changed behind the ledger's back: told, or harmless; never other money, never a neighbour."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from books import LONG, Tally, calls, record, record_all, sealed_and_visible, visible

from tracking import CostTracker
from tracking.home import Home
from tracking.journal.writer import decode_line
from warehouse.integrity.verify import verify

RECORDED = calls("writer", 3)


def places(size: int, short: int) -> range:
    """Every place; in a short run about so many of them."""
    return range(0, size, 1 if LONG else max(1, size // short))


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """The journal's lines of three calls."""
    record_all(tmp_path / "source", RECORDED)
    (journal,) = (tmp_path / "source" / "journal").iterdir()
    return journal.read_bytes().splitlines(keepends=True)


def sealed_from(journal: bytes, home: Path) -> Path:
    """A home in which a journal as it was left was sealed."""
    shutil.rmtree(home, ignore_errors=True)
    Home(home).open()
    (Home(home).journal / "elsewhere-1-feed.log").write_bytes(journal)
    return home


def test_a_journal_cut_off_at_any_byte(lines: list[bytes], tmp_path: Path, tally: Tally) -> None:
    journal = b"".join(lines)
    for place in places(len(journal) + 1, 60):
        home = sealed_from(journal[:place], tmp_path / "home")
        whole = journal[:place].count(b"\n")
        tally.count(sealed_and_visible(home), RECORDED[:whole])
        torn = place not in (0, *(sum(map(len, lines[: number + 1])) for number in range(3)))
        assert bool(verify(Home(home)).quarantined) == torn


def test_any_byte_of_a_journal_line_changed(lines: list[bytes], tmp_path: Path, tally: Tally) -> None:
    for place in places(len(lines[1]), 60):
        for flip in (0x01, 0x20, 0x80) if LONG else (0x01,):
            line = bytearray(lines[1])
            line[place] ^= flip
            harmless = decode_line(bytes(line).removesuffix(b"\n")) is not None
            home = sealed_from(lines[0] + bytes(line) + lines[2], tmp_path / "home")
            kept = RECORDED if harmless or place == len(line) - 1 else [RECORDED[0], RECORDED[2]]
            rows = sealed_and_visible(home)
            tally.count(rows, [RECORDED[0], RECORDED[2]], RECORDED)
            assert len(rows) >= len(kept) or verify(Home(home)).quarantined


@pytest.mark.parametrize("dataset", ["usage", "prompts"])
def test_any_byte_of_a_segment_changed(dataset: str, tmp_path: Path, tally: Tally) -> None:
    home = tmp_path / "home"
    record_all(home, RECORDED)
    rows = sealed_and_visible(home)
    file = next((home / dataset).rglob("*.parquet"))
    content = file.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    assert verify(Home(home)).clean
    for place in [*places(len(content) - footer, 10), *(len(content) - footer + each for each in places(footer, 30))]:
        damaged = bytearray(content)
        damaged[place] ^= 0x04
        file.write_bytes(damaged)
        problems = verify(Home(home)).problems
        assert any(file.name in problem.place for problem in problems), place
        tally.trials += 1
    file.write_bytes(content)
    tally.count(visible(home), RECORDED)
    assert visible(home) == rows


TABLES = ("segments", "retired", "journals", "quarantined", "conflicts", "superseded")


def dump(manifest: Path) -> list[object]:
    """All that a manifest says, or why it says nothing.

    Not its version: one that seems to be of the version before is brought to today's again, and says the same.
    """
    try:
        with closing(sqlite3.connect(manifest)) as connection:
            return [connection.execute(f"select * from {table}").fetchall() for table in TABLES]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return [error]


def test_any_byte_of_the_manifest_changed(tmp_path: Path, tally: Tally) -> None:
    home = tmp_path / "home"
    # Its journal is still there: what the manifest says of one that is gone, nobody needs.
    with CostTracker(home) as tracker:
        for call in RECORDED:
            record(tracker, call)
        sealed_and_visible(home)
        manifest = Home(home).manifest
        content, said = manifest.read_bytes(), dump(manifest)
        used = [place for place, byte in enumerate(content) if byte]
        told = 0
        for place in (used[index] for index in places(len(used), 80)):
            damaged = bytearray(content)
            damaged[place] ^= 0x01
            manifest.write_bytes(damaged)
            tally.trials += 1
            if dump(manifest) != said:
                told += 1
                assert not verify(Home(home)).clean, f"byte {place} of the manifest changed what it says, untold"
        manifest.write_bytes(content)
        tally.count(visible(home), RECORDED)
    assert told > tally.trials // 20
