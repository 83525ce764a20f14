"""The files that the sealer writes: whose they are, what stands in which, their columns and their types."""

import stat
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from ledgers import body, journals, record, visible, write_journal
from sealed import live_segments, three_lines

import warehouse.ledger.segments
import warehouse.sealing.seal
from tracking import CostTracker, LedgerError, LLMUsageRecord
from tracking.home import Home
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.schema import PROMPT_SCHEMA, USAGE_SCHEMA, duckdb_type
from warehouse.sealing.seal import seal

PORTABLE = {"VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "DATE", "DECIMAL(18,12)", "TIMESTAMP WITH TIME ZONE"}


def test_the_names_of_new_day_folders_are_synced_before_the_commit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power loss may forget a folder whose parent was not synced; its segments would be live and gone."""
    order: list[str] = []
    really, commit = warehouse.ledger.segments.sync_directory, Manifest.commit_seal

    def sync(directory: Path) -> None:
        order.append(directory.name)
        really(directory)

    def note_commit(*arguments: Any) -> None:
        order.append("commit")
        commit(*arguments)

    monkeypatch.setattr(warehouse.ledger.segments, "sync_directory", sync)
    monkeypatch.setattr(Manifest, "commit_seal", note_commit)
    with CostTracker(home) as tracker:
        record(tracker)
    seal(Home(home))
    assert {"usage", "prompts"} <= set(order[: order.index("commit")])


def test_files_and_folders_are_the_owners_alone(home: Path) -> None:
    _, lines = three_lines(home)
    write_journal(home, lines[0], lines[1][:10])
    seal(Home(home))
    for path in home.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, f"{path} has mode {mode:o}"
    assert not list(home.rglob("*.tmp"))


def test_prompts_rest_apart_from_usage(home: Path) -> None:
    canary = "canary-5f1d"
    with CostTracker(home) as tracker:
        stored = record(tracker, prompt=f"Grade this: {canary}")
    with CostTracker(home, prompt_policy="hash") as tracker:
        hashed = record(tracker, body(5), prompt=f"Secret: {canary}")
    seal(Home(home))
    for file in (home / "usage").rglob("*.parquet"):
        assert pl.read_parquet_schema(file).keys() == USAGE_SCHEMA.keys()
        assert canary.encode() not in file.read_bytes()
    prompts = pl.read_parquet(sorted((home / "prompts").rglob("*.parquet")), hive_partitioning=False)
    assert prompts.schema == PROMPT_SCHEMA
    assert prompts["record_id"].to_list() == [stored.record_id]
    assert prompts["prompt"].to_list() == [f"Grade this: {canary}"]
    assert hashed.prompt_hmac
    assert sum(segment.prompts for segment in live_segments(home)) == 1


def test_segment_columns_are_the_records_in_portable_types(home: Path) -> None:
    with CostTracker(home) as tracker:
        record(tracker)
    seal(Home(home))
    (file,) = (home / "usage").rglob("*.parquet")
    described = duckdb.connect().execute(f"describe select * from read_parquet('{file}', hive_partitioning=false)")
    types = {row[0]: row[1] for row in described.fetchall()}
    assert set(types.values()) <= PORTABLE
    expected = {
        name: duckdb_type(kind).replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
        for name, kind in USAGE_SCHEMA.items()
    }
    assert types == expected
    assert list(types) == [*LLMUsageRecord.model_fields, "usage_date"]


def test_a_segment_from_before_a_column_reads_as_null_there(home: Path) -> None:
    with CostTracker(home) as tracker:
        old = record(tracker, body(10, id="stream-1"), latency_ms=5, attempt=1)
    seal(Home(home))
    (file,) = (home / "usage").rglob("*.parquet")
    pl.read_parquet(file, hive_partitioning=False).drop("attempt").write_parquet(file)
    with CostTracker(home) as tracker:
        new = record(tracker, body(99), attempt=2)
        grown = record(tracker, body(20, id="stream-1"), latency_ms=5, attempt=1)
    seal(Home(home))
    rows = {row["record_id"]: row for row in visible(home)}
    assert rows[old.record_id]["attempt"] is None
    assert rows[old.record_id]["latency_ms"] == 5
    assert rows[new.record_id]["attempt"] == 2
    assert rows[grown.record_id]["corrects_record_id"] == old.record_id


def test_a_damaged_segment_is_named_not_ignored(home: Path) -> None:
    with CostTracker(home) as tracker:
        record(tracker, body(id="one"))
    seal(Home(home))
    (file,) = (home / "usage").rglob("*.parquet")
    file.write_bytes(b"not parquet at all")
    with CostTracker(home) as tracker:
        record(tracker, body(5, id="one"))
    with pytest.raises(LedgerError, match="segment cannot be read"):
        seal(Home(home))
    assert len(journals(home)) == 1
