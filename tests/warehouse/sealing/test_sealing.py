"""The sealer: what was recorded is visible once and exactly, whatever happened to journals and sealers."""

import base64
import json
import stat
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import (
    NOON,
    assert_holds_exactly,
    body,
    journals,
    living_writer,
    record,
    record_month,
    sums,
    visible,
    write_journal,
)

import warehouse.ledger.segments
import warehouse.sealing.seal
from tracking import CostTracker, LedgerError, LLMUsageRecord
from tracking.home import Home
from tracking.journal.writer import decode_line, encode_line, record_line
from tracking.usage import MAX_COUNT
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.schema import PROMPT_SCHEMA, USAGE_SCHEMA, duckdb_type
from warehouse.sealing.seal import seal

PORTABLE = {"VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "DATE", "DECIMAL(18,12)", "TIMESTAMP WITH TIME ZONE"}


def quarantined(home: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for file in sorted((home / "quarantine").iterdir()) for line in file.read_text().splitlines()
    ]


def live_segments(home: Path) -> list[Any]:
    with Manifest(Home(home)) as manifest:
        return manifest.segments()


def three_lines(home: Path) -> tuple[list[LLMUsageRecord], list[bytes]]:
    """Three records and their lines, as an abandoned journal would hold them; no journal is left."""
    with CostTracker(home) as tracker:
        records = [record(tracker, body(100 * number), prompt=f"prompt {number}") for number in (1, 2, 3)]
    (journal,) = journals(home)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.unlink()
    return records, lines


def test_everything_recorded_is_visible_once_and_every_column_is_as_it_was(home: Path) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = record_month(tracker)
        report = seal(tracker.home)
        assert_holds_exactly(home, records)
    assert report.rows == len(records)


def test_segments_sum_exactly_to_what_record_returned(home: Path) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = record_month(tracker)
    seal(Home(home))
    segments = live_segments(home)
    assert sum(segment.cost_usd for segment in segments) == sums(records)[2] != 0
    for segment in segments:
        mine = [record for record in records if record.occurred_at.date() == segment.usage_date]
        counted = (segment.requests, segment.token_count, segment.cost_usd, segment.micro_usd)
        assert (*counted, segment.unpriced_requests) == sums(mine)
        assert segment.row_count == len(mine)


def test_a_byte_range_over_many_days_keeps_every_day(home: Path) -> None:
    """One byte range makes one segment a day, all of one name. Keyed by name alone, days overwrote each other, and the
    proof still held because both sides had lost the same rows."""
    with CostTracker(home) as tracker:
        records = [record(tracker, body(number), at=NOON - timedelta(days=number)) for number in range(1, 41)]
    seal(Home(home))
    segments = live_segments(home)
    assert len({segment.name for segment in segments}) == 1
    assert [segment.usage_date for segment in segments] == sorted(record.occurred_at.date() for record in records)
    assert_holds_exactly(home, records)


def test_the_day_is_that_of_the_instant_in_utc(home: Path) -> None:
    with CostTracker(home) as tracker:
        late = record(tracker, at=NOON.replace(hour=23, minute=59, second=59, microsecond=999_999))
    elsewhere = late.model_dump_json().replace("2026-11-02T23:59:59.999999Z", "2026-11-03T00:59:59.999999+01:00")
    assert elsewhere != late.model_dump_json()
    journals(home)[0].unlink()
    write_journal(home, encode_line(elsewhere.encode()))
    seal(Home(home))
    assert_holds_exactly(home, [late])


def test_sealing_again_changes_nothing(home: Path) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = record_month(tracker)
        seal(tracker.home)
        segments = live_segments(home)
        report = seal(tracker.home)
        assert (report.rows, report.segments, report.duplicates) == (0, 0, 0)
        assert live_segments(home) == segments
    seal(Home(home))
    assert live_segments(home) == segments
    assert_holds_exactly(home, records)


@given(
    cost=st.decimals(min_value=0, max_value=Decimal("999999.999999999999"), places=12),
    tokens=st.integers(0, MAX_COUNT),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cost_and_count_survives_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, cost: Decimal, tokens: int
) -> None:
    home = tmp_path_factory.mktemp("home")
    with CostTracker(home) as tracker:
        template = record(tracker)
    journals(home)[0].unlink()
    micro = int((cost * 10**6).quantize(Decimal(1), rounding="ROUND_HALF_EVEN"))
    changes = {"cost_usd": cost, "micro_usd": micro, "input_tokens": tokens, "output_tokens": 0, "token_count": tokens}
    extreme = LLMUsageRecord.model_validate(template.model_dump() | changes)
    write_journal(home, record_line(extreme, None))
    seal(Home(home))
    assert_holds_exactly(home, [extreme])


def test_a_living_writers_journal_is_sealed_up_to_the_last_whole_line_and_stays(home: Path) -> None:
    records, lines = three_lines(home)
    journal = write_journal(home, lines[0], lines[1], lines[2][:40])
    with living_writer(journal):
        seal(Home(home))
        assert_holds_exactly(home, records[:2])
        assert quarantined(home) == []
        with journal.open("ab") as file:
            file.write(lines[2][40:])
        seal(Home(home))
        assert_holds_exactly(home, records)
        assert journal.exists()
    seal(Home(home))
    assert not journal.exists()
    assert_holds_exactly(home, records)


def test_a_journal_is_deleted_only_when_its_writer_is_gone(home: Path) -> None:
    tracker = CostTracker(home)
    first = record(tracker)
    seal(tracker.home)
    assert len(journals(home)) == 1
    second = record(tracker, body(7))
    tracker.close()
    seal(tracker.home)
    assert journals(home) == []
    assert_holds_exactly(home, [first, second])


def test_a_journal_is_kept_as_long_as_its_seal_is_not_committed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CostTracker(home) as tracker:
        kept = record(tracker)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "commit_seal", crash)
        with pytest.raises(KeyboardInterrupt):
            seal(Home(home))
    assert len(journals(home)) == 1
    assert visible(home) == []
    assert len(list((home / "usage").rglob("*.parquet"))) == 1
    seal(Home(home))
    assert_holds_exactly(home, [kept])


def test_a_crash_before_the_commit_then_more_records_doubles_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next byte range is longer, so its segments have other names: the orphans of the crash must not count."""
    with CostTracker(home) as tracker:
        records = [record(tracker, body(number)) for number in range(1, 6)]
        with monkeypatch.context() as patch:
            patch.setattr(Manifest, "commit_seal", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                seal(tracker.home)
        records += [record(tracker, body(number)) for number in range(6, 11)]
        seal(tracker.home)
    assert len(list((home / "usage").rglob("*.parquet"))) == 2
    assert_holds_exactly(home, records)


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


def test_small_chunks_make_the_same_ledger(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = record_month(tracker)
        # A line longer than several chunks.
        records.append(record(tracker, prompt="long " * 2000))
    monkeypatch.setattr(warehouse.sealing.seal, "CHUNK_BYTES", 1500)
    report = seal(Home(home))
    assert report.segments > len({record.occurred_at.date() for record in records})
    assert_holds_exactly(home, records)
    assert journals(home) == []


def test_progress_adds_up_to_the_bytes_sealed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        record_month(tracker)
    size = sum(journal.stat().st_size for journal in journals(home))
    monkeypatch.setattr(warehouse.sealing.seal, "CHUNK_BYTES", 4000)
    told: list[int] = []
    seal(Home(home), told.append)
    assert sum(told) == size
    assert len(told) > 1


def test_a_torn_last_line_of_a_gone_writer_is_kept_with_place_and_reason(home: Path) -> None:
    records, lines = three_lines(home)
    journal = write_journal(home, lines[0], lines[1][:-20])
    report = seal(Home(home))
    assert report.quarantined == 1
    assert_holds_exactly(home, records[:1])
    (entry,) = quarantined(home)
    assert (entry["journal"], entry["offset"]) == (journal.name, len(lines[0]))
    assert entry["reason"] == "torn last line of a writer that is gone"
    assert base64.b64decode(entry["line_base64"]) == lines[1][:-20]
    with Manifest(Home(home)) as manifest:
        (noted,) = manifest.quarantined()
    assert (noted.journal, noted.start, noted.length) == (journal.name, len(lines[0]), len(lines[1]) - 20)
    assert not journal.exists()


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_costs_its_line_and_no_neighbour(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """fluent-bit#10952: one bad checksum discarded the acknowledged rows around it. Here any byte may be hit, the
    newline between two lines and bytes that turn into one too, and every byte of the bad line is kept."""
    home = tmp_path_factory.mktemp("home")
    records, lines = three_lines(home)
    middle = bytearray(lines[1])
    place = data.draw(st.integers(0, len(middle) - 1))
    middle[place] ^= data.draw(st.integers(1, 255))
    if decode_line(bytes(middle).removesuffix(b"\n")) is not None:
        return  # the checksum's own digits, in the other case
    write_journal(home, lines[0], bytes(middle), lines[2])
    report = seal(Home(home))
    assert_holds_exactly(home, [records[0], records[2]])
    entries = quarantined(home)
    assert b"".join(base64.b64decode(entry["line_base64"]) for entry in entries) == bytes(middle)
    assert report.quarantined == len(entries)
    assert {entry["reason"] for entry in entries} == {"checksum does not match"}
    assert entries[0]["offset"] == len(lines[0])


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"null",
        b"",
        b"\xff\xfe",
        b'{"hello": "world"}',
        b"{} {}",
        b'{"prompt": {"a": 1}}',
        b"[" * 100_000,
    ],
)
def test_a_line_with_a_right_checksum_that_is_no_record_is_quarantined(home: Path, content: bytes) -> None:
    records, lines = three_lines(home)
    write_journal(home, lines[0], encode_line(content), lines[1])
    assert seal(Home(home)).quarantined == 1
    assert_holds_exactly(home, records[:2])
    (entry,) = quarantined(home)
    assert (entry["reason"], entry["offset"]) == ("not a record", len(lines[0]))
    assert base64.b64decode(entry["line_base64"]) == encode_line(content)


@pytest.mark.parametrize(
    "change",
    [
        {"occurred_at": "yesterday"},
        {"occurred_at": None},
        {"user_id": None},
        {"cost_usd": "much"},
        {"input_tokens": 1.5},
        {"input_tokens": "12"},
        {"input_tokens": 2**64},
        {"prompt": {"role": "user"}},
        {"occurred_at": "9999-12-31T23:59:59-14:00"},
        {"recorded_at": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_a_field_of_the_wrong_kind_costs_only_its_own_line(home: Path, change: dict[str, Any]) -> None:
    records, lines = three_lines(home)
    fields = json.loads(lines[1].partition(b" ")[2]) | change
    write_journal(home, lines[0], encode_line(json.dumps(fields).encode()), lines[2])
    seal(Home(home))
    kept = [row["record_id"] for row in visible(home)]
    wanted = {records[0].record_id, records[2].record_id}
    assert wanted <= set(kept)
    # A prompt of another kind may be read as text; anything else is no record.
    if "prompt" not in change:
        assert set(kept) == wanted
        assert [entry["reason"] for entry in quarantined(home)] == ["not a record"]


def test_a_record_beside_a_broken_one_keeps_its_own_prompt_and_columns(home: Path) -> None:
    records, lines = three_lines(home)
    write_journal(home, lines[0], encode_line(b"[]"), lines[2])
    seal(Home(home))
    prompts = pl.read_parquet(sorted((home / "prompts").rglob("*.parquet")), hive_partitioning=False)
    assert dict(prompts.select("record_id", "prompt").rows()) == {
        records[0].record_id: "prompt 1",
        records[2].record_id: "prompt 3",
    }


def test_a_line_whose_newline_is_gone_is_whole_all_the_same(home: Path) -> None:
    """Beside a line that is no record, too, where each line is looked at one by one."""
    records, lines = three_lines(home)
    write_journal(home, lines[0].removesuffix(b"\n"), lines[1], encode_line(b"{}"), lines[2])
    assert seal(Home(home)).quarantined == 1
    assert_holds_exactly(home, records)


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


def test_a_home_may_be_called_anything(tmp_path: Path) -> None:
    home = tmp_path / "it's [a] *home*? {x}"
    with CostTracker(home) as tracker:
        records = [record(tracker, body(10, id="stream-1"))]
    seal(Home(home))
    with CostTracker(home) as tracker:
        records += [record(tracker, body(50))]
        record(tracker, body(10, id="stream-1"))
    seal(Home(home))
    assert_holds_exactly(home, records)


SEALER = """
import sys
from tracking.home import Home
from warehouse.sealing.seal import seal
print(seal(Home(sys.argv[1])).rows)
"""


def test_two_sealers_at_once_while_a_writer_goes_on_seal_each_record_once(home: Path) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = record_month(tracker, 300)
        sealers = [
            subprocess.Popen([sys.executable, "-c", SEALER, str(home)], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        number = 0
        while any(sealer.poll() is None for sealer in sealers) and number < 20_000:
            number += 1
            records.append(record(tracker, body(number)))
        counts = [int(sealer.communicate()[0]) for sealer in sealers]
    assert [sealer.returncode for sealer in sealers] == [0, 0]
    rest = seal(Home(home)).rows
    assert sum(counts) + rest == len(records)
    assert_holds_exactly(home, records)


def test_a_home_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="Not a directory"):
        seal(Home(tmp_path / "file"))


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
