"""Lines of a journal that are no record: kept with their place and reason, and no obstacle to their neighbours."""

import base64
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import assert_holds_exactly, visible, write_journal
from sealed import quarantined, three_lines

from tracking.home import Home
from tracking.journal.writer import decode_line, encode_line
from warehouse.ledger.manifest import Manifest
from warehouse.sealing.seal import seal


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
