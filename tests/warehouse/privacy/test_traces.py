"""An erasure proves that what only this user wrote is gone: as a text, and as a hash, keyed or not."""

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from ledgers import body, living_writer, llm_cost, record, write_journal

from tracking import CostTracker, LLMUsageRecord
from tracking.home import Home
from tracking.journal.writer import record_line
from warehouse.importing.calls import Defaults
from warehouse.importing.import_files import import_files
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.privacy.search import Canary
from warehouse.privacy.traces import Traces
from warehouse.sealing.seal import seal

ANN = "ann-7c1f@example.org"
SAID = 'What Ann wrote: "ein schöner Aufsatz"\n' + "and how it went on. " * 300
SHARED = "Grade the essay by these four criteria: " + "content, form, style, length. " * 200
DEFAULTS = Defaults(user=ANN, trackable="Assignment:1", request_type="grade_student_work")


@pytest.fixture
def recorded(home: Path) -> tuple[Home, LLMUsageRecord]:
    """Her own prompt, and one that Bob was given as well."""
    with CostTracker(home) as tracker:
        hers = record(tracker, body(1), user=ANN, prompt=SAID)
        record(tracker, body(2), user=ANN, prompt=SHARED)
        record(tracker, body(3), user="bob", prompt=SHARED)
        record(tracker, body(4), user=ANN, prompt="Hi")
    seal(Home(home))
    return Home(home), hers


Planted = Callable[[Path, LLMUsageRecord], object]

PLANTED: dict[str, Planted] = {
    "notes.txt": lambda path, _: path.write_text(f"seen: {SAID}", encoding="utf-8"),
    "as.json": lambda path, _: path.write_text(json.dumps([{"messages": SAID}])),
    "hmac.toml": lambda path, hers: path.write_text(f'hash = "{hers.prompt_hmac}"'),
    "prefix.bin": lambda path, hers: path.write_bytes(b"\0\1" + (hers.prompt_prefix_hmac or "").encode() + b"\0"),
    "sha.log": lambda path, _: path.write_text(hashlib.sha256(SAID.encode()).hexdigest()),
    "quarantine/import-x.jsonl": lambda path, _: path.write_text(json.dumps({"reason": "x", "answer": SAID}) + "\n"),
    "quarantine/y.jsonl": lambda path, _: path.write_text(
        json.dumps({"line_base64": base64.b64encode(json.dumps(SAID).encode()).decode()}) + "\n"
    ),
    "copy.parquet": lambda path, _: pl.DataFrame({"prompt": ["Hi"]}).write_parquet(path),
    "hashes.parquet": lambda path, hers: pl.DataFrame({"h": [hers.prompt_hmac]}).write_parquet(path),
}


@pytest.mark.parametrize("place", PLANTED)
def test_a_trace_anywhere_below_the_home_is_found_and_nothing_is_proven(
    recorded: tuple[Home, LLMUsageRecord], place: str
) -> None:
    home, hers = recorded
    PLANTED[place](home.root / place, hers)
    report = erase(home, Person(ANN))
    assert [found.path for found in report.traces] == [place]
    assert report.left == []
    assert not report.proven


def test_a_trace_in_a_database_is_found(recorded: tuple[Home, LLMUsageRecord]) -> None:
    home, hers = recorded
    with duckdb.connect(home.root / "mine.duckdb") as mine:
        mine.execute("create table t as select ? as h, ? as said", [hers.prompt_hmac, SAID])
    with sqlite3.connect(home.root / "mine.sqlite") as connection:
        connection.execute("create table t (h)")
        connection.execute("insert into t values (?)", (hers.prompt_prefix_hmac,))
    connection.close()
    places = {(found.path, found.column) for found in erase(home, Person(ANN)).traces}
    assert places == {("mine.duckdb", "t.h"), ("mine.duckdb", "t.said"), ("mine.sqlite", "t.h")}


def test_an_example_of_the_projects_own_code_is_nobody(recorded: tuple[Home, LLMUsageRecord]) -> None:
    """Its unit tests have a user `ann`, and dbt copies them; what it makes of the ledger is searched all the same."""
    home, _ = recorded
    for name in ("target/manifest.json", "manifest-0f.json", "target/partial_parse.msgpack", "target/graph.gpickle"):
        (home.dbt / name).parent.mkdir(parents=True, exist_ok=True)
        (home.dbt / name).write_text('{"user_id": "ann"}')
    assert Canary("ann").search(home) == []
    (home.dbt / "target" / "run_results.json").write_text('{"user_id": "ann"}')
    (home.root / "manifest.json").write_text('{"user_id": "ann"}')
    assert [found.path for found in Canary("ann").search(home)] == ["dbt/target/run_results.json", "manifest.json"]


def test_what_others_wrote_too_is_no_trace_of_her(recorded: tuple[Home, LLMUsageRecord]) -> None:
    home, _ = recorded
    (home.root / "template.txt").write_text(SHARED)
    with CostTracker(home.root) as living:
        record(living, body(5), user="eve", prompt=SAID)  # and waits in a journal
        report = erase(home, Person(ANN))
    assert report.proven
    assert (report.traces, report.prompts) == ([], 3)


def test_the_command_says_that_a_trace_is_left(recorded: tuple[Home, LLMUsageRecord]) -> None:
    home, hers = recorded
    (home.root / "hmac.toml").write_text(f'hash = "{hers.prompt_hmac}"')
    done = llm_cost("erase", "--user", ANN, "--yes", "--home", home.root)
    assert done.returncode == 1
    assert done.stderr == "llm-cost: what only this user wrote, or a hash of it, is still in hmac.toml\n"
    assert "the id is gone" in done.stdout
    assert "prompts, their hashes and keyed hashes are NOT gone" in " ".join(done.stdout.split())


REFUSED: list[Any] = [
    {"provider": "openai", "response": body(11), "messages": [{"role": "user", "content": SAID}]},
    {"provider": "openai", "respnose": body(12, choices=[{"message": {"content": SAID}}]), "user": ANN},
    {"provider": "openai", "response": [body(13, choices=[{"message": {"content": SAID}}])], "user": ANN},
    {"provider": "openai", "response": SAID, "prompt": SAID},
    {"provider": "openai", "response": {"model": "gpt-4o", "usage": {"note": SAID}}, "input": SAID},
    {"provider": "openai", "response": body(14), "user": ANN, "request_type": SAID},
    [SAID, {"prompt": SAID}],
    SAID,
    body(15, choices=[{"message": {"content": SAID}}]),
]


@pytest.mark.parametrize("line", REFUSED)
@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_refused_line_keeps_nothing_that_was_said_under_whatever_name(
    home: Path, tmp_path: Path, line: Any, cut: int
) -> None:
    """Once an erasure and once a retention found it there for ever."""
    written = json.dumps(line, ensure_ascii=False)
    calls = tmp_path / "calls.jsonl"
    calls.write_text(written[: len(written) - cut] + "\n" + json.dumps({"response": {}}) + "\n", encoding="utf-8")
    report = import_files(Home(home), [calls], DEFAULTS)
    assert len(report.refusals) == 2
    assert "Ann wrote" not in repr(report) + repr([entry.read_text() for entry in (home / "quarantine").iterdir()])
    assert "schöner" not in repr(report)
    entries = [json.loads(kept) for file in (home / "quarantine").iterdir() for kept in file.read_text().splitlines()]
    assert {entry["user"] for entry in entries} == {ANN}
    assert {entry["trackable"] for entry in entries} == {"Assignment:1"}
    assert all(entry["occurred_at"] for entry in entries)
    hashed = [entry["sha256"] for entry in entries]
    report = erase(Home(home), Person(ANN))
    assert (report.proven, report.kept_lines) == (True, 2)
    assert Canary(ANN).search(Home(home)) == []
    assert not any(Canary(digest).search(Home(home)) for digest in hashed)


@pytest.mark.parametrize("cut", [0, 30])
def test_what_a_refused_call_used_stays_under_whatever_name_its_answer_stood(
    home: Path, tmp_path: Path, cut: int
) -> None:
    calls = tmp_path / "calls.jsonl"
    written = [json.dumps(line) for line in (*REFUSED[:3], REFUSED[8])]
    calls.write_text("".join(f"{line[: len(line) - cut]}\n" for line in written) + "{}\n")
    import_files(Home(home), [calls], DEFAULTS)
    erase(Home(home), Person(ANN))
    entries = [json.loads(kept) for file in (home / "quarantine").iterdir() for kept in file.read_text().splitlines()]
    counts = [entry["answer"]["usage"]["prompt_tokens"] for entry in entries[:4]]
    assert counts == [11, 12, 13, 15]
    if not cut:
        assert {entry["answer"]["model"] for entry in entries[:4]} == {"gpt-4o"}


def test_an_entry_of_an_earlier_version_loses_the_line_it_kept(home: Path, tmp_path: Path) -> None:
    Home(home).open()
    raw = json.dumps({"provider": "openai", "messages": SAID, "user": ANN, "usage": {"prompt_tokens": 7}})
    old = {"source": "calls.jsonl", "line": 3, "sha256": "ab" * 32, "error": "_BadLineError", "reason": "x"}
    kept = home / "quarantine" / "import-calls.jsonl-00000000.jsonl"
    kept.write_text(json.dumps({**old, "answer": None, "raw": raw}) + "\n")
    report = erase(Home(home), Person("somebody-else"))
    assert report.kept_lines == 1
    (entry,) = map(json.loads, kept.read_text().splitlines())
    expected = {**old, "provider": "openai", "user": ANN, "answer": {"usage": {"prompt_tokens": 7}}}
    assert {name: value for name, value in entry.items() if value is not None} == expected
    assert "Ann wrote" not in kept.read_text()


def test_a_damaged_line_of_hers_loses_the_hashes_of_what_she_wrote(home: Path) -> None:
    with CostTracker(home) as tracker:
        made = record(tracker, user=ANN, prompt=SAID, trace_id="trace-1")
        about = record(tracker, user="bob", assignment=ANN, prompt=SAID)
    for file in (home / "journal").iterdir():
        file.unlink()
    lines: list[bytes] = []
    for each in (made, about.model_copy(update={"trackable_type": "User"})):
        line = bytearray(record_line(each, SAID))
        line[line.index(b"gpt-4o")] ^= 1
        lines.append(bytes(line))
    with living_writer(write_journal(home, *lines)):
        assert erase(Home(home), Person(ANN)).kept_lines == 2
    kept = b"".join(
        base64.b64decode(json.loads(entry)["line_base64"])
        for file in (home / "quarantine").glob("elsewhere-*.jsonl")
        for entry in file.read_text().splitlines()
    )
    assert kept.count(b'"cost_usd"') == 2
    for trace in (made.prompt_hmac, made.prompt_prefix_hmac, "trace-1", ANN, "Ann wrote"):
        assert trace is not None
        assert trace.encode() not in kept


def test_ten_thousand_prompts_are_looked_for_at_once(home: Path) -> None:
    """Whatever their first bytes have in common."""
    Home(home).open()
    texts = [f"Grade the essay of week {number} by content and form." for number in range(10_000)]
    (home / "haystack.bin").write_bytes(b"\0".join(text.encode() for text in texts[::1000]) + b"\xff" * 1_000_000)
    (found,) = Traces(Person(ANN), texts, ()).search(Home(home))
    assert (found.path, found.count) == ("haystack.bin", 10)
