"""What a segment's own footer says of where it came from."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from ledgers import NOON, body, journals, record

from tracking import CostTracker, LedgerError
from tracking.home import Home
from warehouse.ledger.footer import KEY, Provenance
from warehouse.ledger.manifest import Conflict, Manifest
from warehouse.ledger.segment_names import ByteRange
from warehouse.sealing.seal import seal


def test_the_manifest_can_be_told_from_the_footers_alone(home: Path) -> None:
    """A stream's partial answer, superseded before it is sealed; a reused id; a second day."""
    with CostTracker(home) as tracker:
        partial = record(tracker, body(500, 10, id="stream"), status="partial")
        record(tracker, body(500, 90, id="stream"))
        record(tracker, body(500, 90, id="reused"))
        reused = record(tracker, body(400, 90, id="reused"), user="another")
        record(tracker, body(7), at=datetime(2026, 11, 5, tzinfo=UTC))
        seal(tracker.home)
        (journal,) = journals(home)
        end = journal.stat().st_size
    with Manifest(Home(home)) as manifest:
        segments, conflicts, superseded = manifest.segments(), manifest.conflicts(), manifest.superseded()
    first, second = (Provenance.read(tracker.home.usage / segment.file) for segment in segments)
    assert first is not None
    assert second is not None
    assert first.byte_ranges == second.byte_ranges == (ByteRange(journal.name, 0, end),)
    assert first.days == second.days == (NOON.date(), date(2026, 11, 5))
    assert (set(first.superseded), list(first.conflicts)) == (superseded, conflicts)
    assert (first.superseded, first.conflicts[0].record_id) == ((partial.record_id,), reused.record_id)
    assert (second.superseded, second.conflicts, second.replaces) == ((), (), ())
    for segment in segments:
        assert (segment.journal, segment.journal_start, segment.journal_end) == (journal.name, 0, end)


def test_duckdb_reads_it_too(tmp_path: Path) -> None:
    made = Provenance(
        covers=(ByteRange("host-1-ü.log", 3, 9),),
        replaces=("usage_date=2026-11-02/host-1-a-0-9.parquet",),
        superseded=("one", "two"),
        conflicts=(Conflict("event", "record"),),
    )
    file = tmp_path / "segment.parquet"
    pl.DataFrame({"user_id": ["ann"]}).write_parquet(file, metadata=made.as_metadata())
    assert Provenance.read(file) == made
    with duckdb.connect() as connection:
        query = "select decode(value) from parquet_kv_metadata(?) where key = encode(?)"
        (text,) = connection.execute(query, [str(file), KEY]).fetchone() or ("",)
    assert json.loads(text)["covers"] == [["host-1-ü.log", 3, 9]]


def test_a_segment_of_an_earlier_version_has_none_and_one_of_a_newer_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "segment.parquet"
    pl.DataFrame({"user_id": ["ann"]}).write_parquet(file)
    assert Provenance.read(file) is None
    pl.DataFrame({"user_id": ["ann"]}).write_parquet(file, metadata={KEY: '{"version": 9}'})
    with pytest.raises(LedgerError, match=r"version 9, newer than this version can read \(1\)"):
        Provenance.read(file)
    file.write_bytes(b"PAR1 no more")
    with pytest.raises(LedgerError, match=r"segment\.parquet cannot be read"):
        Provenance.read(file)
