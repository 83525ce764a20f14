"""The manifest: what it refuses, and that its transactions are all or nothing."""

import sqlite3
import stat
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from ledgers import record, record_month, segment, visible

from tracking import CostTracker, LedgerError
from tracking.home import Home
from warehouse.ledger.manifest import Conflict, Manifest, QuarantinedLine
from warehouse.ledger.manifest_tables import MANIFEST_VERSION
from warehouse.ledger.segment_names import ByteRange
from warehouse.sealing.seal import seal

VERSION_1 = """
create table segments (
    name text not null,
    usage_date text not null,
    row_count integer not null,
    requests integer not null,
    token_count integer not null,
    cost_usd text not null,
    micro_usd integer not null,
    unpriced_requests integer not null,
    bytes integer not null,
    sha256 text not null,
    prompts integer not null,
    prompts_sha256 text,
    journal text not null,
    journal_start integer not null,
    journal_end integer not null,
    primary key (usage_date, name)
) strict;
create table journals (name text primary key, sealed_bytes integer not null) strict;
create table quarantined (
    journal text not null,
    start integer not null,
    length integer not null,
    reason text not null,
    primary key (journal, start)
) strict;
create table conflicts (event_key text not null, record_id text primary key) strict;
create table superseded (record_id text primary key) strict;
insert into segments values ('host-1-abc-0-9', '2026-11-02', 2, 2, 7, '123456789.000000000001', 3, 0, 9,
    'SHA', 0, null, 'host-1-abc.log', 0, 9);
insert into journals values ('host-1-abc.log', 9);
insert into conflicts values ('event', 'record');
pragma user_version = 1;
""".replace("SHA", "a" * 64)


@pytest.fixture
def opened(home: Path) -> Home:
    opened = Home(home)
    opened.open()
    return opened


BYTE_RANGE = ByteRange("host-1-abc.log", 0, 9)


def test_what_is_committed_is_read_back_exactly(opened: Home) -> None:
    line, conflict = QuarantinedLine("host-1-abc.log", 4, 5, "torn"), Conflict("event", "record")
    other_day = segment(day=date(2026, 11, 3))
    with Manifest(opened) as manifest:
        manifest.commit_seal(BYTE_RANGE, [other_day, segment()], [line], [conflict], ["gone"])
    with Manifest(opened) as manifest:
        assert manifest.segments() == [segment(), other_day]
        assert manifest.sealed_bytes("host-1-abc.log") == 9
        assert manifest.sealed_bytes("another.log") == 0
        assert manifest.quarantined() == [line]
        assert manifest.conflicts() == [conflict]
        assert manifest.superseded() == {"gone"}


def test_a_commit_that_fails_leaves_nothing_behind(opened: Home) -> None:
    with Manifest(opened) as manifest:
        manifest.commit_seal(BYTE_RANGE, [segment()], [], [], [])
    with pytest.raises(LedgerError, match=r"manifest\.sqlite cannot be used"), Manifest(opened) as manifest:
        manifest.commit_seal(ByteRange("other.log", 0, 5), [segment("new"), segment()], [], [], ["gone"])
    with Manifest(opened) as manifest:
        assert manifest.segments() == [segment()]
        assert manifest.sealed_bytes("other.log") == 0
        assert manifest.superseded() == set()


def test_a_manifest_of_the_first_version_is_read_on_and_can_take_what_that_could_not(opened: Home) -> None:
    with sqlite3.connect(opened.manifest) as connection:
        connection.executescript(VERSION_1)
    connection.close()
    for _ in range(2):
        with Manifest(opened) as manifest:
            assert manifest.segments() == [segment()]
            assert manifest.sealed_bytes("host-1-abc.log") == 9
            assert manifest.conflicts() == [Conflict("event", "record")]
    made_of_it = replace(segment("compacted"), journal=None, journal_start=None, journal_end=None)
    with Manifest(opened) as manifest:
        manifest.swap([segment()], [made_of_it])
        assert manifest.segments() == [made_of_it]
        assert [files.file for files in manifest.retired()] == [segment().file]


def test_a_swap_is_all_or_nothing_and_its_files_wait_until_they_are_forgotten(opened: Home) -> None:
    one, other, both = segment("one"), segment("other"), segment("both")
    with Manifest(opened) as manifest:
        manifest.commit_seal(BYTE_RANGE, [one], [], [], [])
        with pytest.raises(LedgerError, match=r"other\.parquet cannot be replaced, it is not live"):
            manifest.swap([one, other], [both])
        assert (manifest.segments(), manifest.retired()) == ([one], [])
        manifest.swap([one], [both])
        (waiting,) = manifest.retired()
        assert (manifest.segments(), waiting.file, waiting.unpublished_at) == ([both], one.file, None)
        manifest.note_unpublished([waiting])
        (noted,) = manifest.retired()
        assert noted.unpublished_at is not None
        manifest.note_unpublished([waiting])
        assert manifest.retired() == [noted]
        manifest.forget_retired([noted])
        assert manifest.retired() == []


def test_a_newer_manifest_is_refused_with_both_versions_named(opened: Home) -> None:
    Manifest(opened).__exit__(None, None, None)
    newer = MANIFEST_VERSION + 6
    with sqlite3.connect(opened.manifest) as connection:
        connection.execute(f"pragma user_version = {newer}")
    connection.close()
    with pytest.raises(LedgerError, match=rf"version {newer}, newer than this version can read \({MANIFEST_VERSION}\)"):
        seal(opened)


@pytest.mark.parametrize("content", [b"this is no database, but long enough to be looked at" * 40, b"\0" * 4096])
def test_a_file_that_is_no_manifest_is_refused_and_left_as_it_is(opened: Home, content: bytes) -> None:
    opened.manifest.write_bytes(content)
    with pytest.raises(LedgerError, match=r"manifest\.sqlite cannot be used"):
        seal(opened)
    assert opened.manifest.read_bytes() == content


def test_a_manifest_damaged_inside_is_one_clear_error(opened: Home) -> None:
    with CostTracker(opened.root) as tracker:
        record(tracker)
    seal(opened)
    content = bytearray(opened.manifest.read_bytes())
    content[4096:] = b"\xab" * (len(content) - 4096)
    opened.manifest.write_bytes(content)
    with pytest.raises(LedgerError, match=r"manifest\.sqlite cannot be used"):
        visible(opened)


def test_it_is_private_and_uses_the_rollback_journal(opened: Home) -> None:
    with Manifest(opened):
        assert stat.S_IMODE(opened.manifest.stat().st_mode) == 0o600
    connection = sqlite3.connect(opened.manifest)
    assert connection.execute("pragma journal_mode").fetchone() == ("delete",)
    connection.close()


@pytest.mark.parametrize("lost", ["deleted", "emptied"])
def test_a_manifest_that_was_lost_is_not_taken_for_an_empty_ledger(home: Path, lost: str) -> None:
    with CostTracker(home) as tracker:
        record(tracker)
    seal(Home(home))
    Home(home).manifest.unlink()
    if lost == "emptied":
        Home(home).manifest.touch()
    for _ in range(2):
        with pytest.raises(LedgerError, match="missing or empty, though usage/ holds segments"):
            seal(Home(home))


def test_a_manifest_that_counted_failed_calls_as_unpriced_counts_them_anew(home: Path) -> None:
    """Where a segment is gone the old count stays: verification names the segment."""
    with CostTracker(home, on_unknown_model="record") as tracker:
        record_month(tracker)
    seal(Home(home))
    with Manifest(Home(home)) as manifest:
        counted = manifest.segments()
    with sqlite3.connect(Home(home).manifest) as connection:
        connection.execute("update segments set unpriced_requests = unpriced_requests + 1000")
        connection.execute("pragma user_version = 2")
    connection.close()
    gone = Home(home).usage / counted[0].file
    gone.unlink()
    with Manifest(Home(home)) as manifest:
        first, *others = manifest.segments()
    assert first == replace(counted[0], unpriced_requests=counted[0].unpriced_requests + 1000)
    assert others == counted[1:] and sum(segment.unpriced_requests for segment in counted) > 0
