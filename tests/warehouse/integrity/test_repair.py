"""Repair: the segments alone give the manifest back as it was, whatever crash or damage came before."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ledgers import NOON, assert_holds_exactly, body, journals, llm_cost, record, record_month, visible, write_journal

import warehouse.ledger.compact
import warehouse.ledger.segments
from tracking import CostTracker, LLMUsageRecord
from tracking.home import Home
from tracking.journal.writer import encode_line
from warehouse.integrity.repair import repair
from warehouse.integrity.verify import verify
from warehouse.ledger.compact import compact
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.tidy import tidy
from warehouse.sealing.seal import seal

TABLES = ("segments", "quarantined", "conflicts", "superseded", "journals")


def says(home: Path) -> dict[str, Any]:
    with sqlite3.connect(home / "manifest.sqlite") as connection:
        made = {table: sorted(connection.execute(f"select * from {table}")) for table in TABLES}
    connection.close()
    return made


def lose_manifest(home: Path) -> None:
    (home / "manifest.sqlite").unlink()


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])


def crash_in(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, work: Callable[[], object]) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            work()


def assert_whole(home: Path, records: list[LLMUsageRecord]) -> None:
    """Every record counts once, sealing finds nothing more, and nothing else is amiss."""
    seal(Home(home))
    assert_holds_exactly(home, records)
    assert verify(Home(home)).problems == []


def busy_home(home: Path) -> None:
    """Several days and seals, a stream, a reused id, damaged lines, compacted days, replaced files that wait."""
    with CostTracker(home, on_unknown_model="record") as tracker:
        for number in range(4):
            record_month(tracker, 10 + number)
            record(tracker, body(10, 1, id=f"stream-{number}"), status="partial")
            if number % 2:
                seal(tracker.home)
            record(tracker, body(10, 9, id=f"stream-{number}"))
            record(tracker, body(3, 1, id=f"stream-{number}"), user="someone else")
            seal(tracker.home)
        write_journal(home, b"no record at all\n", encode_line(b"{}"), b"12345678 {torn")
        seal(tracker.home)
        compact(tracker.home, day=NOON.date())


@pytest.mark.parametrize("manifest", ["there", "lost", "emptied", "garbage"])
def test_the_manifest_comes_back_as_it_was_and_again_the_same(home: Path, manifest: str) -> None:
    busy_home(home)
    before, rows, problems = says(home), visible(home), verify(Home(home)).problems
    assert all(before[table] for table in TABLES)
    assert [problem.place.partition(" ")[2] for problem in problems] == [
        "elsewhere-1-feed.log bytes 0 to 17",
        "elsewhere-1-feed.log bytes 17 to 29",
    ]
    path = home / "manifest.sqlite"
    if manifest != "there":
        lose_manifest(home)
    if manifest in ("emptied", "garbage"):
        path.write_bytes(b"" if manifest == "emptied" else b"\xab" * 9000)
    kept = path.read_bytes() if path.exists() else None
    report = repair(Home(home))
    assert report.losses == []
    assert (report.before is None) == (manifest != "there")
    assert report.before in (None, report.after)
    assert (None if report.kept_manifest is None else report.kept_manifest.read_bytes()) == kept
    first = says(home)
    # What journals that are gone were sealed to matters no more.
    assert {table: first[table] for table in TABLES[:-1]} == {table: before[table] for table in TABLES[:-1]}
    assert visible(home) == rows
    repair(Home(home))
    assert says(home) == first
    assert verify(Home(home)).problems == problems
    assert not list(home.glob(".repair*"))


def test_a_dry_run_changes_nothing(home: Path) -> None:
    busy_home(home)
    damage(sorted(home.glob("usage/*/*.parquet"))[0])
    shutil.rmtree(home / "locks")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    report = repair(Home(home), dry_run=True)
    shutil.rmtree(home / "locks")
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert report.losses


def test_a_living_writers_journal_is_sealed_on_from_where_it_was(home: Path) -> None:
    with CostTracker(home) as tracker:
        records = [record(tracker, body(number), at=NOON + timedelta(days=number % 3)) for number in range(6)]
        seal(tracker.home)
        records.append(record(tracker, body(50)))
        lose_manifest(home)
        repair(tracker.home)
        sealed = dict(says(home)["journals"])
        assert 0 < sealed[journals(home)[0].name] < journals(home)[0].stat().st_size
        assert seal(tracker.home).rows == 1
        assert_whole(home, records)
    assert_whole(home, records)


def test_what_crashed_before_its_commit_is_not_counted_beside_what_was_sealed_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once with a row that the longer byte range superseded, so that it stands nowhere else."""
    with CostTracker(home) as tracker:
        records = [record(tracker, body(7))]
        record(tracker, body(10, 1, id="stream"), status="partial")
        crash_in(monkeypatch, Manifest, "commit_seal", lambda: seal(tracker.home))
        records.append(record(tracker, body(10, 9, id="stream")))
        seal(tracker.home)
        assert len(list(home.glob("usage/*/*.parquet"))) == 2
    lose_manifest(home)
    assert repair(Home(home)).leftovers == 1
    assert len(list(home.glob("usage/*/*.parquet"))) == 1
    assert_whole(home, records)


def test_a_segment_of_corrections_alone_is_not_taken_for_a_leftover(home: Path) -> None:
    with CostTracker(home) as tracker:
        for tokens in (1, 5, 9):
            record(tracker, body(10, tokens, id="stream"))
            seal(tracker.home)
    rows = visible(home)
    assert len(rows) == 3
    lose_manifest(home)
    assert repair(Home(home)).leftovers == 0
    assert visible(home) == rows


def test_a_seal_that_wrote_only_some_of_its_days_is_done_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CostTracker(home) as tracker:
        records = [record(tracker, body(1))]
        seal(tracker.home)
        records += [record(tracker, body(9 + number), at=NOON + timedelta(days=number)) for number in range(3)]
        write, written = warehouse.ledger.segments.write_durably, []

        def crash_at_third(path: Path, *arguments: Any) -> str:
            written.append(path)
            return write(path, *arguments) if len(written) < 4 else str(1 / 0)

        with monkeypatch.context() as patch:
            patch.setattr(warehouse.ledger.segments, "write_durably", crash_at_third)
            with pytest.raises(ZeroDivisionError):
                seal(tracker.home)
        lose_manifest(home)
        assert repair(tracker.home).unfinished == 1
        assert_whole(home, records)


def test_a_compaction_that_crashed_before_the_swap_counts_nothing_twice(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CostTracker(home) as tracker:
        records = []
        for number in range(3):
            records.append(record(tracker, body(number)))
            seal(tracker.home)
        crash_in(monkeypatch, Manifest, "swap", lambda: compact(tracker.home))
        lose_manifest(home)
        report = repair(tracker.home)
        assert (report.replaced, report.after.segments) == (3, 1)
        assert_whole(home, records)


def test_a_day_that_was_compacted_twice_does_not_make_its_neighbour_seem_unfinished(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody speaks of the byte range's own segment of that day any more, and its journal still exists."""
    monkeypatch.setattr(warehouse.ledger.compact, "MANY_SEGMENTS", 2)
    with CostTracker(home) as tracker:
        records = []
        for number in range(6):
            records += [record(tracker, body(number), at=NOON + timedelta(days=day)) for day in range(2)]
            seal(tracker.home)
            if number in (2, 5):
                compact(tracker.home, day=NOON.date())
                tidy(tracker.home, timedelta(0))
        lose_manifest(home)
        report = repair(tracker.home)
        assert (report.unfinished, report.losses) == (0, [])
        assert_holds_exactly(home, records)
        assert_whole(home, records)


def test_a_damaged_segment_goes_to_quarantine_and_is_named_with_what_it_held(home: Path) -> None:
    with CostTracker(home) as tracker:
        records = [record(tracker, body(number), at=NOON + timedelta(days=number)) for number in range(3)]
    seal(Home(home))
    path = sorted(home.glob("usage/*/*.parquet"))[1]
    damage(path)
    content = path.read_bytes()
    done = llm_cost("repair", "--home", home, "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert [each["place"] for each in answer["lost"]] == [path.relative_to(home).as_posix()]
    assert f"it held 1 rows, 1 requests and {records[1].cost_usd} USD" in answer["lost"][0]["problem"]
    (kept,) = home.glob("quarantine/usage-*.parquet")
    assert kept.read_bytes() == content
    assert len(list(home.glob("quarantine/prompts-*.parquet"))) == 1
    assert_whole(home, [records[0], records[2]])
    assert repair(Home(home)).losses == []


@pytest.mark.parametrize("manifest", ["there", "lost"])
def test_what_a_damaged_segment_held_is_sealed_again_from_a_journal_that_still_exists(
    home: Path, manifest: str
) -> None:
    with CostTracker(home) as tracker:
        records = []
        for number in range(3):
            records += [record(tracker, body(9 * number + day), at=NOON + timedelta(days=day)) for day in range(2)]
            seal(tracker.home)
        damage(sorted(home.glob("usage/*/*.parquet"))[1])
        if manifest == "lost":
            lose_manifest(home)
        assert len(repair(tracker.home).losses) == 1
        assert seal(tracker.home).rows == 1
        assert_whole(home, records)
        lose_manifest(home)
        assert repair(tracker.home).losses == []
        assert_whole(home, records)


def test_damaged_prompts_go_to_quarantine_and_their_rows_stay(home: Path) -> None:
    with CostTracker(home) as tracker:
        records = [record(tracker)]
    seal(Home(home))
    (path,) = home.glob("prompts/*/*.parquet")
    path.write_bytes(b"no parquet")
    (lost,) = repair(Home(home)).losses
    assert lost.place == path.relative_to(home).as_posix()
    assert_whole(home, records)


def test_a_digit_of_a_checksum_that_flipped_in_the_manifest_condemns_no_segment(home: Path) -> None:
    with CostTracker(home) as tracker:
        records = [record(tracker)]
    seal(Home(home))
    shutil.rmtree(home / "ids")
    with sqlite3.connect(home / "manifest.sqlite") as connection:
        connection.execute("update segments set sha256 = 'x' || substr(sha256, 2)")
    connection.close()
    assert verify(Home(home)).problems
    assert repair(Home(home)).losses == []
    assert_whole(home, records)


def test_a_segment_that_is_gone_is_named_with_what_it_held(home: Path) -> None:
    with CostTracker(home) as tracker:
        records = [record(tracker, body(number), at=NOON + timedelta(days=number)) for number in range(2)]
    seal(Home(home))
    path = sorted(home.glob("usage/*/*.parquet"))[0]
    path.unlink()
    (lost,) = repair(Home(home), dry_run=True).losses
    assert lost.place == path.relative_to(home).as_posix()
    assert f"it held 1 rows, 1 requests and {records[0].cost_usd} USD" in lost.problem


def test_a_segment_without_a_footer_is_known_by_its_name(home: Path) -> None:
    with CostTracker(home) as tracker:
        records = [record(tracker)]
        seal(tracker.home)
        shutil.rmtree(home / "ids")
        (path,) = home.glob("usage/*/*.parquet")
        pl.read_parquet(path, hive_partitioning=False).drop("attempt").write_parquet(path)
        path.chmod(0o600)
        lose_manifest(home)
        repair(tracker.home)
        assert_whole(home, records)


def test_the_rollback_journal_of_a_lost_manifest_does_not_touch_the_new_one(home: Path) -> None:
    busy_home(home)
    before = says(home)["segments"]
    path, rollback = home / "manifest.sqlite", home / "manifest.sqlite-journal"
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("pragma cache_size = 1")
        connection.execute("begin immediate")
        connection.execute("update segments set row_count = 0")
        connection.executemany("insert into superseded values (?)", [(f"{number:0400}",) for number in range(200)])
        hot = rollback.read_bytes()
        connection.execute("rollback")
    connection.close()
    lose_manifest(home)
    rollback.write_bytes(hot)
    repair(Home(home))
    assert says(home)["segments"] == before
    assert len(list(home.glob("manifest.sqlite.*-journal"))) == 1
