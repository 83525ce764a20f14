"""Erasure: who it was is nowhere any more, under any compression; what it cost is where it was, to the last digit."""

import base64
import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from dying import deaths, live_files, parquet_files, rows_by_footers
from ledgers import NOON, body, journals, living_writer, llm_cost, record, visible, write_journal

from tracking import CostTracker, LLMUsageRecord
from tracking.home import Home
from tracking.journal.writer import record_line
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.privacy.search import Canary, Found
from warehouse.sealing.seal import seal

ANN = 'ann-"ö"-7c1f@example.org'
"""Has what JSON, SQL and regular expressions escape."""
SAID = "canary-2c9d-what-ann-wrote"
MEASURES = ("token_count", "cost_usd", "micro_usd", "pricing_status", "occurred_at", "llm", "event_key")


def record_ann(tracker: CostTracker) -> list[LLMUsageRecord]:
    """Rows of hers, about her, and of others; one more day; an answer that was refused."""
    records = [
        record(tracker, body(11, id="hers"), user=ANN, prompt=SAID, trace_id="trace-1", tags={"course": "bio"}),
        record(tracker, body(12, model="own"), user=ANN, prompt=SAID, at=NOON.replace(day=5)),
        tracker.record(
            llm_response=body(13), provider="openai", user="bob", trackable=("User", ANN),
            request_type="grade_student_work", prompt=f"Grade {SAID}", occurred_at=NOON,
        ),
        record(tracker, body(14), user=f"{ANN}2", prompt="another's"),
        record(tracker, body(15), user="bob", prompt="bob's"),
    ]  # fmt: skip
    tracker.record(
        llm_response={},
        provider="openai",
        user=ANN,
        trackable=("User", ANN),
        request_type="generate_rubric",
        prompt=SAID,
    )
    return records


def places(home: Path, text: str) -> list[str]:
    return sorted({found.path.split("/")[0] for found in Canary(text).search(Home(home))})


def by_id(home: Path) -> dict[str, dict[str, Any]]:
    return {row["record_id"]: row for row in visible(home)}


@pytest.fixture
def recorded(home: Path) -> tuple[Path, list[LLMUsageRecord]]:
    with CostTracker(home, on_unknown_model="record", on_error="log") as tracker:
        records = record_ann(tracker)
        assert tracker.errors == 1
    return home, records


def test_she_is_nowhere_and_every_number_is_where_it_was(recorded: tuple[Path, list[LLMUsageRecord]]) -> None:
    home, records = recorded
    with CostTracker(home, on_unknown_model="record") as living:
        record(living, body(16), user=ANN, prompt=SAID)
        seal(Home(home))
        before = by_id(home)
        assert places(home, ANN) == ["journal", "prompts", "quarantine", "usage"]
        (journal,) = journals(home)
        size = journal.stat().st_size
        report = erase(Home(home), Person(ANN))
        assert report.proven
        assert (report.rows, report.prompts, report.journal_lines, report.kept_lines) == (4, 4, 1, 1)
        assert report.places == []
        assert journal.stat().st_size == size
    assert places(home, ANN) == []
    assert places(home, SAID) == []
    assert places(home, "trace-1") == []
    assert not list((home / "keys").glob("erasing-*"))
    after = by_id(home)
    assert after.keys() == before.keys()
    for record_id, row in before.items():
        assert [after[record_id][name] for name in MEASURES] == [row[name] for name in MEASURES]
    hers, second, about, another, bobs = (after[made.record_id] for made in records)
    assert hers["user_id"] == second["user_id"] == about["trackable_id"]
    assert hers["user_id"].startswith("erased-")
    assert [hers[name] for name in ("prompt_hmac", "trace_id", "tags")] == [None, None, '{"course": "bio"}']
    assert (another["user_id"], about["user_id"], about["prompt_hmac"]) == (f"{ANN}2", "bob", None)
    assert another == before[another["record_id"]]
    assert bobs == before[bobs["record_id"]]
    kept = pl.concat([pl.read_parquet(file) for file in (home / "prompts").rglob("*.parquet")])
    assert sorted(kept["prompt"]) == ["another's", "bob's"]
    assert parquet_files(home) == live_files(home)


def test_the_same_id_recorded_later_is_a_new_user_and_their_old_answers_stay_known(
    recorded: tuple[Path, list[LLMUsageRecord]],
) -> None:
    home, records = recorded
    erase(Home(home), Person(ANN))
    with CostTracker(home) as tracker:
        again = record(tracker, body(11, id="hers"), user=ANN, prompt=SAID)
        new = record(tracker, body(99), user=ANN, prompt=SAID)
    assert again.record_id == records[0].record_id
    seal(Home(home))
    rows = by_id(home)
    assert len(rows) == len(records) + 1
    first = rows[again.record_id]["user_id"]
    assert first.startswith("erased-")
    assert rows[new.record_id]["user_id"] == ANN
    erase(Home(home), Person(ANN))
    assert by_id(home)[new.record_id]["user_id"] not in (ANN, first), "the key of the first erasure is gone"


def test_an_id_that_nobody_has_changes_nothing(recorded: tuple[Path, list[LLMUsageRecord]]) -> None:
    home, _ = recorded
    seal(Home(home))
    before = {file: file.read_bytes() for file in (home / "usage").rglob("*.parquet")}
    report = erase(Home(home), Person("nobody-of-this-name"))
    assert (report.rows, report.proven) == (0, True)
    assert {file: file.read_bytes() for file in (home / "usage").rglob("*.parquet")} == before


def test_lines_nobody_could_parse_lose_her_and_keep_what_they_cost(home: Path, tmp_path: Path) -> None:
    with CostTracker(home) as tracker:
        made = record(tracker, user=ANN)
    for file in journals(home):
        file.unlink()
    line = bytearray(record_line(made, SAID))
    line[line.index(b"gpt-4o")] ^= 1
    living = write_journal(home, bytes(line))
    imported = tmp_path / "calls.jsonl"
    refused = {"provider": "openai", "response": [1], "user": ANN, "prompt": SAID}
    imported.write_text(json.dumps(refused) + "\n" + json.dumps(refused)[:-2] + "\n")
    assert llm_cost("import", imported, "--trackable", "Assignment:1", "--home", home).returncode == 1
    with living_writer(living):
        report = erase(Home(home), Person(ANN))
        assert living.read_bytes() == b" " * (len(line) - 1) + b"\n"
    assert report.places == []
    assert report.kept_lines == 3
    assert places(home, SAID) == places(home, ANN) == []
    (damaged,) = (home / "quarantine").glob("elsewhere-*.jsonl")
    kept = base64.b64decode(json.loads(damaged.read_text())["line_base64"])
    assert b'"cost_usd"' in kept


@pytest.mark.parametrize("everywhere", [False, True])
def test_tenant_tags_and_other_trackables_are_the_user_only_when_said_so(home: Path, everywhere: bool) -> None:
    with CostTracker(home) as tracker:
        made = [
            record(tracker, body(1), user="bob", tenant=ANN),
            record(tracker, body(2), user="bob", tags={"pupil": ANN, "course": "x"}),
            record(tracker, body(3), user="bob", assignment=ANN),
            record(tracker, body(4), user=ANN),
        ]
    report = erase(Home(home), Person(ANN, everywhere=everywhere))
    assert report.proven
    rows = by_id(home)
    tenant, tagged, trackable, own = (rows[one.record_id] for one in made)
    named = [tenant["tenant"], json.loads(tagged["tags"])["pupil"], trackable["trackable_id"]]
    assert named == [own["user_id"] if everywhere else ANN] * 3
    assert sorted(place.column or "" for place in report.elsewhere) == (
        [] if everywhere else ["tags", "tenant", "trackable_id"]
    )
    assert json.loads(tagged["tags"])["course"] == "x"


def test_a_number_is_only_itself(home: Path) -> None:
    """User 7 is erased: not assignment 7, not 7 tokens, not user 77, and no byte that happens to be a 7."""
    with CostTracker(home) as tracker:
        hers = record(tracker, body(7, 77), user=7, assignment=7, prompt="seven")
        other = record(tracker, body(7, 7), user=77, assignment=7)
        seal(tracker.home)
        report = erase(tracker.home, Person("7"))
    assert report.proven
    assert (report.rows, report.left) == (1, [])
    rows = by_id(home)
    assert rows[hers.record_id]["trackable_id"] == "7"
    assert rows[hers.record_id]["user_id"].startswith("erased-")
    assert rows[other.record_id]["user_id"] == "77"


def test_wherever_it_dies_the_next_one_finishes_under_the_same_pseudonym(
    recorded: tuple[Path, list[LLMUsageRecord]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, records = recorded
    seal(Home(home))
    expected = {made.record_id: made.cost_usd for made in records}

    def erased(home: Path) -> None:
        erase(Home(home), Person(ANN))

    for died in deaths(home, erased, monkeypatch):
        assert {name: row["cost_usd"] for name, row in by_id(died).items()} == expected
        assert rows_by_footers(died) == sorted(expected)
        pseudonyms = {row["user_id"] for row in visible(died) if row["user_id"].startswith("erased-")}
        report = erase(Home(died), Person(ANN))
        assert report.proven
        assert {name: row["cost_usd"] for name, row in by_id(died).items()} == expected
        assert rows_by_footers(died) == sorted(expected)
        names = {row["user_id"] for row in visible(died)}
        assert len(names) == 3
        assert pseudonyms <= names
        assert places(died, ANN) == places(died, SAID) == []
        assert parquet_files(died) == live_files(died)
        assert not list((died / "keys").glob("erasing-*"))


def test_it_is_proven_only_where_she_is_gone(recorded: tuple[Path, list[LLMUsageRecord]]) -> None:
    """What is hidden from the erasure is found by the search: an unknown file, a compressed copy, a row."""
    home, _ = recorded
    seal(Home(home))
    (segment, *_) = (home / "usage").rglob("*.parquet")
    (home / "usage" / "copy.parquet").write_bytes(segment.read_bytes())
    (home / "notes.bin").write_bytes(b"\0\1" + ANN.encode() + b"\0")
    with duckdb.connect(home / "mine.duckdb") as mine:
        mine.execute("create table t as select ? as user_id from range(1000)", [ANN])
    with sqlite3.connect(home / "mine.sqlite") as connection:
        connection.execute("create table t (user)")
        connection.execute("insert into t values (?)", (ANN,))
    connection.close()
    (home / "dimensions").mkdir()
    (home / "dimensions" / "users.csv").write_text(f'id,name\n"{ANN}",Ann\n', encoding="utf-8")
    done = llm_cost("erase", "--user", ANN, "--yes", "--home", home)
    assert done.returncode == 1
    named = {line.split("the id is still in ")[1].split(",")[0] for line in done.stderr.splitlines()}
    assert named == {"usage/copy.parquet", "notes.bin", "mine.duckdb", "mine.sqlite"}
    assert "Yours to change: dimensions/users.csv" in done.stdout
    assert "NOT gone" in done.stdout


def test_the_search_finds_what_compression_hides(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.open()
    text = "hidden-by-compression"
    with duckdb.connect(home.build_database) as built:
        built.execute(f"create table t as select '{text}' as user_id from range(100000)")
    pl.DataFrame({"user_id": [text] * 1000}).write_parquet(home.usage / "s.parquet", compression="zstd")
    assert Canary(text).search(home) == [
        Found("build.duckdb", "t.user_id", 100_000),
        Found("usage/s.parquet", "user_id", 1000),
    ]
    assert Canary("hidden-by-compressio").search(home) == []


def test_the_command_asks_or_is_told_and_never_says_the_id(recorded: tuple[Path, list[LLMUsageRecord]]) -> None:
    home, _ = recorded
    unasked = llm_cost("erase", "--user", ANN, "--home", home)
    assert (unasked.returncode, unasked.stdout) == (2, "")
    assert unasked.stderr == "llm-cost: --yes is needed where nobody can be asked\n"
    blank = llm_cost("erase", "--user", " ", "--yes", "--home", home)
    assert (blank.returncode, blank.stderr) == (2, "llm-cost: --user is blank\n")
    done = llm_cost("erase", "--user", ANN, "--yes", "--json", "--home", home)
    said = json.loads(done.stdout)
    assert (done.returncode, said["proven"], said["rows"], said["left"]) == (0, True, 3, [])
    assert said["before"] == said["after"]
    assert ANN not in done.stdout + done.stderr
    again = llm_cost("erase", "--user", ANN, "--yes", "--json", "--home", home)
    assert (again.returncode, json.loads(again.stdout)["rows"]) == (0, 0)
