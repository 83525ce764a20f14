"""Retention: what is too old is gone from every place it was kept, and from every report; nothing else is."""

import base64
import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dying import deaths, live_files, parquet_files, rows_by_footers
from ledgers import (
    NOON,
    assert_holds_exactly,
    body,
    journals,
    living_writer,
    llm_cost,
    record,
    sums,
    visible,
    write_journal,
)

from tracking import CostTracker, LedgerError, LLMUsageRecord
from tracking.book_settings import Retention
from tracking.home import Home
from tracking.journal.writer import decode_line, record_line
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.tidy import tidy
from warehouse.locks import building
from warehouse.privacy.retain import retain
from warehouse.sealing.seal import seal

OLD, PROMPTLESS, NEW = NOON, NOON + timedelta(days=10), NOON + timedelta(days=20)
TODAY = date(2026, 11, 23)
KEEP = Retention(prompts_days=5, rows_days=15)
"""On TODAY: rows of OLD go, prompts of PROMPTLESS go, NEW stays whole."""

Days = dict[str, list[LLMUsageRecord]]


def record_days(tracker: CostTracker) -> Days:
    return {
        name: [record(tracker, body(number + 1), at=at, prompt=f"prompt of {name} {number}") for number in range(4)]
        for name, at in (("old", OLD), ("promptless", PROMPTLESS), ("new", NEW))
    }


def stored_prompts(home: Path) -> set[str]:
    files = list((home / "prompts").rglob("*.parquet"))
    return set(pl.concat([pl.read_parquet(file) for file in files])["prompt"]) if files else set()


def bytes_anywhere(home: Path, text: str) -> list[str]:
    return [file.name for file in home.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


def tidied(home: Path) -> None:
    with building(Home(home)):
        tidy(Home(home), timedelta(0))


def test_old_rows_and_older_prompts_go_and_the_rest_stays_as_it_was(home: Path) -> None:
    with CostTracker(home) as tracker:
        days = record_days(tracker)
    report = retain(Home(home), KEEP, today=TODAY)
    (old, promptless) = report.days
    requests, _, cost, _, _ = sums(days["old"])
    assert (old.day, old.rows, old.requests, old.cost_usd, old.prompts) == (OLD.date(), 4, requests, cost, 4)
    assert (promptless.day, promptless.rows, promptless.cost_usd, promptless.prompts) == (PROMPTLESS.date(), 0, 0, 4)
    assert old.bytes > promptless.bytes > 0
    assert_holds_exactly(home, days["promptless"] + days["new"])
    assert stored_prompts(home) == {f"prompt of new {number}" for number in range(4)}
    with Manifest(Home(home)) as manifest:
        assert [segment.prompts for segment in manifest.segments()] == [0, 0, 4]
    assert retain(Home(home), KEEP, today=TODAY).days == []


def test_a_dry_run_says_the_same_and_removes_nothing(home: Path) -> None:
    with CostTracker(home) as tracker:
        days = record_days(tracker)
    would = retain(Home(home), KEEP, today=TODAY, dry_run=True)
    assert_holds_exactly(home, [made for day in days.values() for made in day])
    assert len(stored_prompts(home)) == 12
    assert retain(Home(home), KEEP, today=TODAY) == would


def test_the_first_day_that_is_kept_is_exactly_so_many_days_ago(home: Path) -> None:
    with CostTracker(home) as tracker:
        kept = record(tracker, at=datetime(2026, 11, 2, tzinfo=UTC))
        record(tracker, body(2), at=datetime(2026, 11, 1, 23, 59, 59, 999999, tzinfo=UTC))
    retain(Home(home), Retention(rows_days=21), today=TODAY)
    assert_holds_exactly(home, [kept])
    retain(Home(home), Retention(rows_days=10**9), today=TODAY)
    assert_holds_exactly(home, [kept])


def test_a_living_writers_journal_holds_none_of_it_any_more_and_is_written_on(home: Path) -> None:
    with CostTracker(home) as tracker:
        days = record_days(tracker)
        seal(tracker.home)
        (journal,) = journals(home)
        size = journal.stat().st_size
        retain(tracker.home, KEEP, today=TODAY)
        later = record(tracker, body(50), at=NEW)
        assert journal.stat().st_size > size
        lines = journal.read_bytes()[:size].splitlines()
        left = [json.loads(decode_line(line) or b"") for line in lines]
        ids = [made.record_id for made in days["old"] + days["promptless"]]
        assert [fields for fields in left if len(fields) == 1] == [{"record_id": name} for name in ids]
        assert bytes_anywhere(home, "prompt of old") == bytes_anywhere(home, "prompt of promptless") == []
        seal(tracker.home)
        assert_holds_exactly(home, [*days["promptless"], *days["new"], later])
    seal(Home(home))
    assert journals(home) == []
    assert_holds_exactly(home, [*days["promptless"], *days["new"], later])


def test_what_the_manifest_notes_of_rows_goes_with_them(home: Path) -> None:
    with CostTracker(home) as tracker:
        for at in (OLD, NEW):
            name = at.isoformat()
            record(tracker, body(10, 1, id=f"stream {name}"), at=at, status="partial")
            record(tracker, body(10, 9, id=f"stream {name}"), at=at)
            record(tracker, body(10, id=f"reused {name}"), at=at)
            record(tracker, body(7, id=f"reused {name}"), user="another", at=at)
            seal(tracker.home)
    with Manifest(Home(home)) as manifest:
        assert (len(manifest.conflicts()), len(manifest.superseded())) == (2, 2)
    retain(Home(home), Retention(rows_days=15), today=TODAY)
    with Manifest(Home(home)) as manifest:
        (conflict,) = manifest.conflicts()
        assert len(manifest.superseded()) == 1
    assert conflict.record_id in {row["record_id"] for row in visible(home)}


def aged(file: Path, days: int) -> None:
    at = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) - timedelta(days=days)
    os.utime(file, (at.timestamp(), at.timestamp()))


def test_what_is_noted_of_rows_that_stay_stays_with_them(home: Path) -> None:
    with CostTracker(home) as tracker:
        record(tracker, body(1, id="reused"), at=OLD, user="one")
        record(tracker, body(2, id="reused"), at=NEW, user="another")
    retain(Home(home), KEEP, today=TODAY)
    with Manifest(Home(home)) as manifest:
        (kept,) = manifest.conflicts()
    assert kept.record_id == visible(home)[0]["record_id"]
    checked = llm_cost("verify", "--home", home)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_quarantine_goes_by_when_it_was_written_to_and_loses_prompts_first(home: Path) -> None:
    with CostTracker(home) as tracker:
        made = record(tracker)
    for file in journals(home):
        file.unlink()
    line = bytearray(record_line(made, "the prompt of a damaged line"))
    line[40] ^= 1
    for name, days in (("old", 30), ("promptless", 10), ("new", 1)):
        write_journal(home, bytes(line), name=f"elsewhere-1-{name}.log")
        seal(Home(home))
        (file,) = (home / "quarantine").glob(f"elsewhere-1-{name}-*.jsonl")
        aged(file, days)
    report = retain(Home(home), KEEP, today=TODAY)
    assert report.kept_files == 1
    left: dict[str, dict[str, Any]] = {
        file.name.split("-")[2]: json.loads(file.read_text()) for file in (home / "quarantine").glob("*.jsonl")
    }
    assert sorted(left) == ["new", "promptless"]
    assert base64.b64decode(left["new"]["line_base64"]) == line
    shortened = base64.b64decode(left["promptless"]["line_base64"])
    assert line.startswith(shortened)
    assert b"prompt of" not in shortened
    assert b"cost_usd" in shortened
    assert retain(Home(home), Retention(rows_days=5), today=TODAY).kept_files == 1, "its age is not of the change"


def test_wherever_it_dies_the_next_one_finishes_and_no_old_row_comes_back(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CostTracker(home) as tracker:
        days = record_days(tracker)
    old, kept = ([made.record_id for made in days[name]] for name in ("old", "new"))
    kept += [made.record_id for made in days["promptless"]]

    def retain_beside_a_writer(home: Path) -> None:
        with living_writer(journals(home)[0]):
            retain(Home(home), KEEP, today=TODAY)

    for died in deaths(home, retain_beside_a_writer, monkeypatch):
        found = [row["record_id"] for row in visible(died)]
        assert found in ([], sorted(kept), sorted(kept + old))
        retain_beside_a_writer(died)
        assert bytes_anywhere(died, "prompt of old") == []
        assert [row["record_id"] for row in visible(died)] == rows_by_footers(died) == sorted(kept)
        assert stored_prompts(died) == {f"prompt of new {number}" for number in range(4)}
        tidied(died)
        assert rows_by_footers(died) == sorted(kept)
        assert parquet_files(died) == live_files(died)


def test_the_segment_without_rows_stays_as_long_as_a_journal_could_bring_the_rows_back(home: Path) -> None:
    with CostTracker(home) as tracker:
        record_days(tracker)
        retain(tracker.home, Retention(rows_days=15), today=TODAY)
        tidied(home)
        with Manifest(tracker.home) as manifest:
            assert [segment.row_count for segment in manifest.segments()] == [0, 4, 4]
    seal(Home(home))
    tidied(home)
    with Manifest(Home(home)) as manifest:
        assert [segment.row_count for segment in manifest.segments()] == [4, 4]
    assert not (home / "usage" / f"usage_date={OLD.date()}").exists()


def set_retention(home: Path, table: str) -> None:
    """In place of the file's own; what stands in no table must stand before every table."""
    toml = home / "ledger.toml"
    rest = toml.read_text().split("[retention]")[0]
    toml.write_text(rest + table if table.startswith("[") else table + rest)


def test_ledger_toml_says_how_long_and_options_say_otherwise(home: Path) -> None:
    with CostTracker(home) as tracker:
        made = record(tracker, at=datetime.now(UTC) - timedelta(days=40))
    assert Home(home).settings().retention == Retention()
    ask = ("retain", "--home", home)
    unsaid = llm_cost(*ask, "--yes")
    assert (unsaid.returncode, unsaid.stderr.count("\n")) == (2, 1)
    assert "[retention] in ledger.toml" in unsaid.stderr
    set_retention(home, "[retention]\nrows_days = 36500\n")
    unasked = llm_cost(*ask)
    assert (unasked.returncode, unasked.stdout, unasked.stderr.count("\n")) == (2, "", 1)
    dry = llm_cost(*ask, "--prompts-days", "30", "--dry-run", "--json")
    assert [(day["rows"], day["prompts"]) for day in json.loads(dry.stdout)["days"]] == [(0, 1)]
    assert_holds_exactly(home, [made])
    done = llm_cost(*ask, "--yes", "--rows-days", "30")
    assert done.stdout.startswith("Removed 1 rows, 1 prompts, 0 quarantine files\nReports follow")
    assert visible(home) == []


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("[retention]\nrows_days = 0\n", "retention.rows_days is 0, expected a whole number of days from 1"),
        ('[retention]\nrows_days = "30"\n', "retention.rows_days is '30', expected a whole number"),
        ("[retention]\nrows_days = true\n", "retention.rows_days is True, expected a whole number"),
        ("[retention]\nweeks = 3\n", "retention.weeks is 3, not a setting this version knows"),
        ("retention = 3\n", "retention is 3, expected a table with prompts_days, rows_days"),
    ],
)
def test_a_retention_that_cannot_be_meant_is_refused(home: Path, table: str, complaint: str) -> None:
    Home(home).open()
    set_retention(home, table)
    with pytest.raises(LedgerError, match=complaint):
        Home(home).settings()
