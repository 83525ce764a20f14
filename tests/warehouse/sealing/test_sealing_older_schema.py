"""Columns are added, never changed: segments of an earlier schema go through everything, and read as NULL there."""

from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
from ledgers import body, record, record_month, visible

from tracking import CostTracker
from tracking.home import Home
from warehouse.building.build import build
from warehouse.integrity.repair import repair
from warehouse.integrity.verify import verify
from warehouse.ledger.compact import compact
from warehouse.ledger.footer import KEY
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.segments import sha256_of
from warehouse.sealing.seal import seal

ADDED_SINCE = ["provider_cost_usd", "corrects_pricing_status", "attempt", "tags"]


def as_written_before(home: Path) -> None:
    """Every segment as a version wrote it that did not know some of today's columns."""
    with Manifest(Home(home)) as manifest:
        for old in manifest.segments():
            path = home / "usage" / old.file
            footer = {KEY: pl.read_parquet_metadata(path)[KEY]}
            pl.read_parquet(path, hive_partitioning=False).drop(ADDED_SINCE).write_parquet(path, metadata=footer)
            manifest.swap([old], [])
            manifest.forget_retired(manifest.retired())
            manifest.swap([], [replace(old, sha256=sha256_of(path), bytes=path.stat().st_size)])


def test_segments_of_an_earlier_schema_are_sealed_onto_verified_compacted_repaired_and_built(home: Path) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        record_month(tracker, 40)
        partial = record(tracker, body(10, 1, id="stream"), status="partial", attempt=1)
        seal(tracker.home)
        as_written_before(home)
        final = record(tracker, body(10, 9, id="stream"), attempt=1)
        new = record(tracker, body(77), attempt=2)
        seal(tracker.home)
    expected = visible(home)
    rows = {row["record_id"]: row for row in expected}
    assert rows[partial.record_id]["attempt"] is None
    assert rows[final.record_id]["corrects_record_id"] == partial.record_id
    assert rows[new.record_id]["attempt"] == 2
    assert all(row[name] is None for row in expected for name in ("tags", "provider_cost_usd"))
    assert verify(Home(home)).problems == []
    assert compact(Home(home)).days
    assert visible(home) == expected
    (home / "manifest.sqlite").unlink()
    assert repair(Home(home)).losses == []
    assert visible(home) == expected
    build(Home(home))
    assert verify(Home(home)).problems == []
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as published:
        (attempts,) = published.execute("select list(attempt order by attempt) from fct_usage").fetchall()[0]
    assert [each for each in attempts if each is not None] == [2]
