"""Verification: one flipped byte anywhere is named with its place, and so is what is missing, doubled or too many."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from ledgers import NOON, body, journals, llm_cost, record, record_month, write_journal

from tracking import CostTracker
from tracking.book_settings import Retention
from tracking.home import Home
from tracking.journal.writer import encode_line, record_line
from warehouse.integrity.repair import repair
from warehouse.integrity.verify import verify
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.segments import sha256_of
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.privacy.retain import retain
from warehouse.published.coverage import Part
from warehouse.quarantine.refused_calls import RefusalKind
from warehouse.quarantine.replay import Missing, discard, replay
from warehouse.quarantine.selection import CallSelection
from warehouse.sealing.seal import seal

FLIPS = 24
"""Places in each kind of file."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two days, prompts, a stream, a reused id, damaged lines, a refusal, a journal of a living writer."""
    home = tmp_path_factory.mktemp("whole") / "home"
    with CostTracker(home, on_unknown_model="record", on_error="log") as tracker:
        record_month(tracker, 12)
        record(tracker, body(10, 1, id="stream"), status="partial")
        record(tracker, body(10, 9, id="stream"))
        record(tracker, body(3, 1, id="stream"), user="someone else")
        record(tracker, body(), at="noon")  # type: ignore[arg-type]
    for number, torn in enumerate((b"no record at all", encode_line(b"{}")[:-2], b"12345678 {torn")):
        write_journal(home, torn, name=f"elsewhere-{number}-1.log")
    seal(Home(home))
    return home


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "home"))


def problems(home: Path) -> list[str]:
    return [f"{finding.place}: {finding.problem}" for finding in verify(Home(home)).problems]


def flipped(path: Path, count: int = FLIPS) -> Iterator[int]:
    """Flip one bit of one byte after another, from the first to the last, each time of a file that is whole else."""
    content = path.read_bytes()
    places = sorted({round(number * (len(content) - 1) / (count - 1)) for number in range(count)})
    for number, place in enumerate(places):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << number % 8]) + content[place + 1 :])
        yield place
    path.write_bytes(content)


def test_a_home_as_it_was_written_is_clean(whole: Path) -> None:
    report = verify(Home(whole))
    assert (report.problems, report.notes) == ([], [])
    assert (report.rows, report.quarantined, report.requests) == (14, 3, 14)
    with Manifest(Home(whole)) as manifest:
        assert report.cost_usd == sum(segment.cost_usd for segment in manifest.segments()) > 0
        assert manifest.conflicts()
        assert manifest.superseded()


@pytest.mark.parametrize("kind", ["usage/*/*.parquet", "prompts/*/*.parquet", "prices/*.json", "ids/*.ids"])
def test_a_flipped_byte_is_named_with_its_file(copied: Path, kind: str) -> None:
    path = sorted(copied.glob(kind))[0]
    for place in flipped(path):
        found = problems(copied)
        assert any(path.relative_to(copied).as_posix() in each for each in found), (place, found)
    assert problems(copied) == []


def test_a_flipped_byte_of_a_damaged_line_in_quarantine_is_named(copied: Path) -> None:
    path = max(copied.glob("quarantine/elsewhere*.jsonl"), key=lambda file: file.stat().st_size)
    for place in flipped(path, 60):
        found = problems(copied)
        assert any(each.startswith("quarantine") for each in found), (place, found)
    assert problems(copied) == []


def test_a_flipped_byte_of_an_unsealed_journal_is_named(copied: Path) -> None:
    with CostTracker(copied, durability="process") as tracker:
        for number in range(3):
            record(tracker, body(number))
        (path,) = journals(copied)
        assert verify(Home(copied)).unsealed_lines == 3
        for place in flipped(path):
            report = verify(Home(copied))
            # Of the last newline nobody can say that it was there.
            assert report.problems or report.notes, place


def test_a_flipped_byte_of_the_manifest_shows_or_says_nothing(copied: Path) -> None:
    """SQLite has free bytes that hold nothing; whatever it does say differently is found."""
    path = Home(copied).manifest
    before = said(path)
    found = 0
    for place in flipped(path, 150):
        if problems(copied):
            found += 1
        else:
            assert said(path) == before, place
    assert found > 5


def said(manifest: Path) -> list[str]:
    with sqlite3.connect(manifest) as connection:
        lines = list(connection.iterdump())
    connection.close()
    return lines


def test_every_way_a_file_can_be_missing_or_too_many_is_named(copied: Path) -> None:
    home = Home(copied)
    segment = sorted(copied.glob("usage/*/*.parquet"))[0]
    for path in (segment, *copied.glob("prompts/*/*.parquet"), *copied.glob("prices/*.json")):
        aside = path.rename(copied / "aside")
        assert any(path.relative_to(copied).as_posix() in each for each in problems(copied)), path
        aside.rename(path)
    kept = max(copied.glob("quarantine/elsewhere*.jsonl"), key=lambda file: file.stat().st_size)
    aside = kept.rename(copied / "aside")
    assert len([each for each in problems(copied) if each.startswith("quarantine: keeps no line of elsewhere")]) == 1
    aside.rename(kept)
    stranger = segment.with_name("stranger.parquet")
    pl.read_parquet(segment, hive_partitioning=False).write_parquet(stranger)
    stranger.chmod(0o600)
    assert problems(copied) == [f"{stranger.relative_to(copied)}: is in no list of the manifest"]
    stranger.unlink()
    home.manifest.unlink()
    assert ["repair" in each for each in problems(copied)] == [True]


def test_what_a_crash_left_is_noted_and_is_no_problem(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CostTracker(copied) as tracker:
        record(tracker, body(77))
        with monkeypatch.context() as patch:
            patch.setattr(Manifest, "commit_seal", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                seal(tracker.home)
        report = verify(tracker.home)
    assert report.problems == []
    assert {note.place.partition("/")[0] for note in report.notes} == {"usage", "prompts"}


def test_what_others_can_read_is_named(copied: Path) -> None:
    path = sorted(copied.glob("prompts/*/*.parquet"))[0]
    path.chmod(0o644)
    (copied / "keys").chmod(0o755)
    found = problems(copied)
    assert found == [
        "keys: has mode 0755, expected none for group and others",
        f"{path.relative_to(copied)}: has mode 0644, expected none for group and others",
    ]


def rewrite_rows(home: Path, change: pl.Expr) -> Path:
    """A segment edited by hand whose sums in the manifest are right again, but for those of its rows."""
    with Manifest(Home(home)) as manifest:
        old = manifest.segments()[0]
        path = home / "usage" / old.file
        pl.read_parquet(path, hive_partitioning=False).with_columns(change).write_parquet(path)
        new = replace(old, sha256=sha256_of(path), bytes=path.stat().st_size)
        manifest.swap([old], [])
        manifest.forget_retired(manifest.retired())
        manifest.swap([], [new])
    return path


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ((pl.col("cost_usd") * 2).cast(pl.Decimal(18, 12)), "cost_usd of its rows is"),
        (pl.col("token_count") + 1, "token_count of its rows is"),
        (pl.lit("correction").alias("charge_class"), "requests of its rows is 0"),
        (pl.col("occurred_at") + timedelta(days=9), "holds a row of 2026-11-11, expected only 2026-11-02"),
        (pl.col("usage_date") + timedelta(days=9), "holds a row of 2026-11-11, expected only 2026-11-02"),
        (pl.lit("twice").alias("record_id"), "record twice is there, expected once"),
        (pl.lit("nobody").alias("corrects_record_id"), "corrects record nobody, which is in no live segment"),
        (pl.lit("unknown").alias("price_id"), "unknown.json: is missing"),
    ],
)
def test_rows_that_are_not_what_was_sealed_are_told_by_what_they_sum_to(
    copied: Path, change: pl.Expr, problem: str
) -> None:
    shutil.rmtree(copied / "ids")
    rewrite_rows(copied, change)
    found = problems(copied)
    if problem.startswith("record twice"):
        # Twice within one segment; beside it another day's.
        assert any("holds the prompt of a record" in each for each in found)
    else:
        assert any(problem in each for each in found), found


def test_a_record_in_two_segments_is_named_with_both(copied: Path) -> None:
    with Manifest(Home(copied)) as manifest:
        old = manifest.segments()[0]
        twin = replace(old, name="twin", prompts=0, prompts_sha256=None)
        shutil.copyfile(copied / "usage" / old.file, copied / "usage" / twin.file)
        (copied / "usage" / twin.file).chmod(0o600)
        manifest.swap([], [twin])
    doubled = [each for each in problems(copied) if "expected once" in each]
    assert len(doubled) == old.row_count
    assert old.file in doubled[0]
    assert twin.file in doubled[0]


def test_the_command_says_it_in_one_line_and_names_the_place(copied: Path) -> None:
    clean = llm_cost("verify", "--home", copied)
    assert (clean.returncode, clean.stderr) == (0, "")
    assert clean.stdout.startswith("Clean: ")
    assert "refused 4 (estimated " in clean.stdout and "unknown for 3" in clean.stdout
    assert len(clean.stdout.splitlines()) == 1
    path = sorted(copied.glob("usage/*/*.parquet"))[0]
    os.truncate(path, 100)
    damaged = llm_cost("verify", "--home", copied, "--json")
    assert damaged.returncode == 1
    answer = json.loads(damaged.stdout)
    assert answer["clean"] is False
    assert {each["place"] for each in answer["problems"]} == {path.relative_to(copied).as_posix()}
    assert llm_cost("verify", "--home", copied / "nowhere").returncode == 2


def test_it_is_clean_after_erasure_and_retention_and_repair_finds_nothing_lost(copied: Path) -> None:
    home = Home(copied)
    erase(home, Person("teacher-1"))
    assert problems(copied) == []
    for file in (copied / "quarantine").iterdir():
        os.utime(file, (0, 0))
    for retention in (Retention(prompts_days=1), Retention(rows_days=7)):
        retain(home, retention, today=NOON.date() + timedelta(days=9))
        assert problems(copied) == []
    assert verify(home).quarantined == 0
    assert repair(home).losses == []
    assert problems(copied) == []


def test_lines_that_were_acknowledged_and_cannot_be_read_are_problems_until_they_are_settled(copied: Path) -> None:
    """Of a writer that is gone the torn last line was never acknowledged."""
    with CostTracker(copied.parent / "elsewhere") as tracker:
        row = record(tracker, body(7, 1))
    line = record_line(row, "what was said")
    write_journal(copied, b"no record at all\n", encode_line(b"{}"), b"0" * 8 + line[8:], b"12345678 {torn")
    seal(Home(copied))
    found = problems(copied)
    assert len(found) == 3 and all("was acknowledged and is in no report" in problem for problem in found)
    assert sorted("not a record" in problem for problem in found) == [False, False, True]
    assert "what was said" not in "".join(found)
    assert verify(Home(copied)).books.refused == Part(8, (row.cost_usd or 0) + verify_estimate(copied.parent))
    done = llm_cost("verify", "--home", copied)
    assert done.returncode == 1 and "refused 8 (estimated" in done.stdout
    assert replay(Home(copied), CallSelection(kind=RefusalKind.JOURNAL), Missing()).replayed == 1
    discard(Home(copied), CallSelection(kind=RefusalKind.JOURNAL), "not ours")
    assert problems(copied) == []


def verify_estimate(folder: Path) -> Decimal:
    """What the one refused call of every home here cost."""
    with CostTracker(folder / "another") as tracker:
        return record(tracker, body()).cost_usd or Decimal(0)


def test_a_damaged_copy_of_a_line_that_is_in_the_ledger_is_no_problem(copied: Path) -> None:
    with CostTracker(copied) as tracker:
        row = record(tracker, body(7, 1))
    write_journal(copied, b"0" * 8 + record_line(row, None)[8:])
    seal(Home(copied))
    assert problems(copied) == []
