"""The ids of what is sealed: no record that is there is ever missed, whatever became of the runs on disk."""

import random
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import NOON, assert_holds_exactly, body, record, record_month, segment, write_journal

import warehouse.sealing.sealed_ids
from tracking import CostTracker, LLMUsageRecord
from tracking.home import Home
from tracking.journal.writer import record_line
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.schema import USAGE_SCHEMA
from warehouse.ledger.segment_names import ByteRange
from warehouse.ledger.segments import write_segments
from warehouse.sealing.id_runs import read_run
from warehouse.sealing.seal import seal
from warehouse.sealing.sealed_ids import SealedIds, hashes_of


def runs(home: Path) -> list[Path]:
    return sorted((home / "ids").iterdir())


def sealed_month(home: Path) -> list[LLMUsageRecord]:
    """Some with an event of their own, some known by a UUID alone."""
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = record_month(tracker, 30)
        records += [record(tracker, body(number, id=f"chatcmpl-{number}")) for number in range(1, 20)]
    seal(Home(home))
    return records


def damage_first(position: int, content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[:position] + content + whole[position + len(content) :])

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: None,
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        damage_first(0, b"no json"),
        damage_first(0, b'{"version": 9'),
        lambda path: path.write_bytes(b"\xff\n"),
    ],
)
def test_what_is_delivered_again_is_known_whatever_happened_to_the_runs(
    home: Path, damage: Callable[[Path], None]
) -> None:
    records = sealed_month(home)
    (run,) = runs(home)
    damage(run)
    write_journal(home, *[record_line(each, None) for each in records])
    report = seal(Home(home))
    assert (report.rows, report.duplicates) == (0, len(records))
    assert_holds_exactly(home, records)
    assert len(runs(home)) == 1


def test_a_segment_made_of_others_is_looked_into_and_the_runs_of_those_are_dropped(home: Path) -> None:
    records = sealed_month(home)
    with Manifest(Home(home)) as manifest:
        before = manifest.segments()
        frames = [pl.read_parquet(home / "usage" / each.file, hive_partitioning=False) for each in before]
        rows = pl.concat(frames).with_columns(prompt=pl.lit(None, pl.String))
        after = write_segments(Home(home), rows, ByteRange("made-of-others.log", 0, 1))
        manifest.swap(before, after)
    (old,) = runs(home)
    write_journal(home, *[record_line(each, None) for each in records])
    assert seal(Home(home)).rows == 0
    (new,) = runs(home)
    assert new != old
    run = read_run(new)
    assert run is not None
    assert {file for file, _ in run.holders} == {segment.file for segment in after}
    assert_holds_exactly(home, records)


def test_many_small_seals_leave_few_runs_and_one_that_finds_nothing_new_leaves_none_more(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse.sealing.sealed_ids, "FAN_IN", 3)
    with CostTracker(home) as tracker:
        records: list[LLMUsageRecord] = []
        for number in range(1, 30):
            records.append(record(tracker, body(number)))
            seal(tracker.home)
    assert len(runs(home)) <= 8
    before = runs(home)
    write_journal(home, *[record_line(each, None) for each in records])
    assert seal(Home(home)).duplicates == len(records)
    assert runs(home) == before
    assert_holds_exactly(home, records)


ids = st.sampled_from([*(f"{number:032x}" for number in (1, 2, 2**64, 2**64 + 1)), "e:1:None", "é" * 9, "0", "-" * 20])


@given(batches=st.lists(st.lists(st.tuples(ids, st.none() | ids), max_size=6), max_size=12), data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_segment_that_holds_an_id_is_found_through_merges_and_reopening(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, str | None]]], data: st.DataObject
) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warehouse.sealing.sealed_ids, "FAN_IN", data.draw(st.integers(2, 4)))
        patch.setattr(warehouse.sealing.sealed_ids, "LARGEST_RUN", data.draw(st.integers(3, 30)))
        patch.setattr(warehouse.sealing.sealed_ids, "UNSAVED", data.draw(st.integers(1, 12)))
        known, live = SealedIds(home), {}
        known.open([])
        for number, batch in enumerate(batches):
            rows, segment = _segment(number, batch)
            known.add(rows, [segment])
            live[segment.file] = (segment, rows)
            if data.draw(st.booleans()):
                known.save()
                if live and data.draw(st.booleans()):
                    del live[data.draw(st.sampled_from(sorted(live)))]
                known = SealedIds(home)
                known.open([segment for segment, _ in live.values()])
            wanted, _ = _segment(99, data.draw(st.lists(st.tuples(ids, st.none() | ids), max_size=4)))
            looked_for = {*wanted["record_id"], *wanted["event_key"].drop_nulls()}
            holding = [
                file
                for file, (_, rows) in live.items()
                if looked_for & {*rows["record_id"], *rows["event_key"].drop_nulls()}
            ]
            found = known.files_that_may_hold(wanted)
            assert set(holding) <= set(found) <= set(live)


def _segment(number: int, batch: list[tuple[str, str | None]]) -> tuple[pl.DataFrame, Segment]:
    made = segment(f"host-{number}", NOON.date())
    columns = {"record_id": [each for each, _ in batch], "event_key": [event for _, event in batch]}
    rows = pl.DataFrame(columns, schema_overrides=dict.fromkeys(columns, pl.String))
    return rows.with_columns(usage_date=pl.lit(NOON.date())), made


def test_two_ids_have_the_same_hash_only_by_chance() -> None:
    """Neither where they are digests nor UUIDs of one millisecond nor anything else."""
    texts = [random.Random(number).randbytes(16).hex() for number in range(20_000)]
    texts += [str(uuid4()) for _ in range(20_000)] + [f"own:{number}" for number in range(20_000)]
    rows = pl.DataFrame({"record_id": texts, "event_key": [None] * len(texts)}, schema_overrides=USAGE_SCHEMA)
    assert len(hashes_of(rows)) == len(texts)


def test_a_byte_that_was_flipped_in_a_run_shows(home: Path) -> None:
    sealed_month(home)
    (path,) = runs(home)
    run = read_run(path)
    assert run is not None
    assert run.is_intact()
    whole = path.read_bytes()
    for place in range(len(whole.splitlines(keepends=True)[0]), len(whole)):
        damage_first(place, bytes([whole[place] ^ 1]))(path)
        flipped = read_run(path)
        assert flipped is None or not flipped.is_intact()
        path.write_bytes(whole)
