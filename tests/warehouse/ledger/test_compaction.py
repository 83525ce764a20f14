"""Compaction: fewer files, the same rows, wherever it dies."""

import sqlite3
import stat
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from compacted import record_often, tidied
from dying import deaths, live_files, parquet_files, rows_by_footers
from ledgers import NOON, assert_holds_exactly, body, llm_cost, record, visible

import warehouse.ledger.compact
from tracking import CostTracker, LedgerError
from tracking.home import Home
from warehouse.ledger.compact import compact
from warehouse.ledger.footer import Provenance
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.schema import PROMPT_SCHEMA, USAGE_SCHEMA
from warehouse.ledger.segment_names import ByteRange
from warehouse.ledger.segments import write_segments
from warehouse.sealing.seal import seal


def prompts(home: Path) -> list[tuple[object, ...]]:
    with Manifest(Home(home)) as manifest:
        files = [Home(home).prompts / segment.file for segment in manifest.segments() if segment.prompts]
    return sorted(pl.concat([pl.read_parquet(file) for file in files]).rows())


def test_a_day_becomes_one_sorted_segment_with_every_row_and_prompt_as_it_was(home: Path) -> None:
    records = record_often(home)
    before = prompts(home)
    report = compact(Home(home))
    assert [(done.day, done.segments, done.rows) for done in report.days] == [
        (NOON.date(), 4, 7),
        (date(2026, 11, 3), 3, 6),
    ]
    assert_holds_exactly(home, records)
    assert prompts(home) == before
    with Manifest(Home(home)) as manifest:
        made = manifest.segments()
    assert len(made) == 2
    for segment in made:
        for folder, schema in ((Home(home).usage, USAGE_SCHEMA), (Home(home).prompts, PROMPT_SCHEMA)):
            file = folder / segment.file
            frame = pl.read_parquet(file)
            assert dict(frame.schema) == dict(schema)
            assert frame.equals(frame.sort("user_id", "occurred_at", "record_id"))
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert (segment.bytes, segment.prompts) == ((Home(home).usage / segment.file).stat().st_size, 6)
    assert compact(Home(home)).days == []


def test_segments_that_lack_a_column_added_later_hold_null_there(home: Path) -> None:
    records = record_often(home, days=1)
    (first, *_) = sorted(Home(home).usage.rglob("*.parquet"))
    footer = Provenance.read(first)
    assert footer is not None
    pl.read_parquet(first).drop("provider_cost_usd", "tags").write_parquet(first, metadata=footer.as_metadata())
    refresh_checksum(home, first)
    compact(Home(home))
    assert_holds_exactly(home, records)


def refresh_checksum(home: Path, file: Path) -> None:
    from warehouse.ledger.segments import sha256_of

    with sqlite3.connect(home / "manifest.sqlite") as manifest:
        manifest.execute("update segments set sha256 = ? where name = ?", (sha256_of(file), file.stem))
    manifest.close()


def test_a_damaged_segment_or_one_of_a_newer_version_is_refused_and_everything_stays(home: Path) -> None:
    records = record_often(home, days=1)
    (file, *_) = sorted(Home(home).usage.rglob("*.parquet"))
    whole = file.read_bytes()
    before = live_files(home)
    file.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(LedgerError, match=r"is not what was sealed: its SHA-256 differs"):
        compact(Home(home))
    file.write_bytes(whole)
    footer = Provenance.read(file)
    assert footer is not None
    pl.read_parquet(file).with_columns(added_later=1).write_parquet(file, metadata=footer.as_metadata())
    refresh_checksum(home, file)
    with pytest.raises(LedgerError, match="hold the column added_later, which this version does not know"):
        compact(Home(home))
    assert live_files(home) == before == parquet_files(home)
    assert len(visible(home)) == len(records)


def test_sums_that_would_change_keep_a_day_as_it_is(home: Path) -> None:
    record_often(home, days=1)
    with sqlite3.connect(home / "manifest.sqlite") as manifest:
        manifest.execute("update segments set token_count = token_count + 1 where rowid = 1")
    manifest.close()
    before = live_files(home)
    with pytest.raises(LedgerError, match=r"segments of 2026-11-02 stay: token_count is \d+, would become \d+"):
        compact(Home(home))
    assert live_files(home) == before


def test_wherever_it_dies_no_row_is_lost_or_doubled_and_the_next_one_finishes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sorted(made.record_id for made in record_often(home))
    for died in deaths(home, lambda home: compact(Home(home)), monkeypatch):
        assert [row["record_id"] for row in visible(died)] == expected
        assert rows_by_footers(died) == expected
        compact(Home(died))
        assert [row["record_id"] for row in visible(died)] == expected
        assert rows_by_footers(died) == expected
        tidied(died)
        assert parquet_files(died) == live_files(died)
        assert parquet_files(died, "prompts") == live_files(died)
        assert rows_by_footers(died) == expected
        assert len(live_files(died)) == 2


def test_more_rows_between_a_death_and_the_next_one_count_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the dead one wrote would replace only some of what a new one replaces."""
    expected = [made.record_id for made in record_often(home, days=1)]
    for died in deaths(home, lambda home: compact(Home(home)), monkeypatch):
        with CostTracker(died) as tracker:
            late = record(tracker, body(999))
        seal(Home(died))
        compact(Home(died))
        assert rows_by_footers(died) == sorted([*expected, late.record_id])


def test_a_build_compacts_days_that_are_over_and_have_many_segments(home: Path) -> None:
    record_often(home, times=warehouse.ledger.compact.MANY_SEGMENTS, days=1)
    with CostTracker(home) as tracker:
        for number in range(warehouse.ledger.compact.MANY_SEGMENTS):
            record(tracker, body(number), at=None)
            seal(tracker.home)
    compacted = warehouse.ledger.compact.compact_closed_days(Home(home))
    assert [done.day for done in compacted.days] == [NOON.date()]


def test_it_sorts_more_than_fits_into_its_memory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CostTracker(home) as tracker:
        record(tracker)
        seal(tracker.home)
    (file,) = Home(home).usage.rglob("*.parquet")
    row = pl.read_parquet(file)
    rows, size = 60_000, 2_000
    for part in range(3):
        numbers = pl.int_range(part * rows, (part + 1) * rows, eager=True)
        many = row.select(pl.all().exclude("record_id", "user_id").repeat_by(rows).explode()).with_columns(
            record_id=numbers.hash().cast(pl.String),
            user_id="teacher-" + numbers.hash(seed=1).cast(pl.String),
            prompt=numbers.hash(seed=2).cast(pl.String).str.pad_end(size, "p"),
        )
        byte_range = ByteRange("elsewhere-1-feed.log", part, part + 1)
        with Manifest(Home(home)) as manifest:
            manifest.commit_seal(byte_range, write_segments(Home(home), many, byte_range), [], [], [])
    monkeypatch.setattr("warehouse.ledger.rewrite.MEMORY_LIMIT", "300MB")
    (done,) = compact(Home(home)).days
    assert done.rows == 3 * rows + 1
    assert not list(home.glob(".rewriting-*"))
    (segment,) = live_files(home)
    users = pl.read_parquet(home / "prompts" / segment, columns=["user_id"])["user_id"]
    assert users.is_sorted()


def test_the_command_says_what_it_did_and_refuses_a_home_without_a_ledger(home: Path, tmp_path: Path) -> None:
    record_often(home)
    done = llm_cost("compact", "--day", "2026-11-03", "--home", home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Compacted 1 days: 3 segments are 1 now\n")
    assert len(live_files(home)) == 5
    refused = llm_cost("compact", "--home", tmp_path / "elsewhere")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "holds no ledger" in refused.stderr
    assert not (tmp_path / "elsewhere").exists()
