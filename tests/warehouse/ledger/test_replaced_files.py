"""Files that compaction replaced: deleted once nobody reads them, whoever reads meanwhile and wherever it dies."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from compacted import AT_ONCE, record_often, tidied
from dying import deaths, live_files, parquet_files, rows_by_footers
from ledgers import NOON, body, publish_untested, record, visible

from tracking import CostTracker
from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.ledger.compact import compact
from warehouse.ledger.footer import Provenance
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.tidy import tidy
from warehouse.locks import building
from warehouse.sealing.seal import seal


def test_wherever_tidying_dies_what_is_left_of_replaced_files_does_not_count(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was replaced by one that was replaced itself: the one in between may be the first to go."""
    records = record_often(home)
    compact(Home(home))
    records += record_often(home, times=1)
    compact(Home(home))
    expected = sorted({made.record_id for made in records})
    for died in deaths(home, tidied, monkeypatch):
        assert rows_by_footers(died) == [row["record_id"] for row in visible(died)] == expected
        tidied(died)
        assert parquet_files(died) == live_files(died)


def test_it_says_how_far_living_writers_are_sealed_when_no_other_file_does(home: Path) -> None:
    with CostTracker(home) as tracker:
        for number in (1, 2, 3):
            record(tracker, body(number))
            seal(tracker.home)
        (journal,) = (home / "journal").iterdir()
        compact(tracker.home)
        tidied(home)
        (file,) = (home / "usage").rglob("*.parquet")
        footer = Provenance.read(file)
        assert footer is not None
        (byte_range,) = footer.byte_ranges
        assert (byte_range.journal, byte_range.start, byte_range.end) == (journal.name, 0, journal.stat().st_size)


def test_a_segment_nobody_speaks_of_stays_where_what_it_holds_is_nowhere_else(home: Path) -> None:
    """As after a manifest was taken back from a copy: the journals are gone, the files are all there is."""
    record_often(home, times=2, days=1)
    older = (home / "manifest.sqlite").read_bytes()
    record_often(home, times=1, days=1)
    seal(Home(home))
    (home / "manifest.sqlite").write_bytes(older)
    before = parquet_files(home)
    tidied(home)
    compact(Home(home))
    assert before <= parquet_files(home)


def published(home: Path) -> None:
    """What a build does around dbt: the published file shows the live rows, and what is due goes."""
    with building(Home(home)):
        prepare(Home(home))
        publish_untested(Home(home))
        tidy(Home(home), AT_ONCE)


def test_replaced_files_wait_for_publishing_and_then_for_readers(home: Path) -> None:
    record_often(home)
    published(home)
    replaced = live_files(home)
    compact(Home(home))
    tidied(home)
    assert replaced <= parquet_files(home), "the published view still names them"
    with building(Home(home)):
        prepare(Home(home))
        tidy(Home(home), AT_ONCE)
        assert replaced <= parquet_files(home), "the build file is made anew, the published one is not"
        publish_untested(Home(home))
        tidy(Home(home))
        assert replaced <= parquet_files(home), "whoever opened the last one may still read them"
    tidied(home)
    assert parquet_files(home) == live_files(home)
    with Manifest(Home(home)) as manifest:
        assert manifest.retired() == []


READER = """
import sys
from tracking.home import Home
from warehouse.published.read import open_warehouse
while True:
    with open_warehouse(Home(sys.argv[1])) as warehouse:
        (sealed,) = warehouse.execute("select sum(row_count)::bigint, sum(cost_usd) from ledger.segments").fetchall()
        (rows,) = warehouse.execute("select count(*), sum(cost_usd) from ledger.usage").fetchall()
        assert rows == sealed, (rows, sealed)
    print(rows[0], flush=True)
"""


def test_readers_neither_fail_nor_miscount_while_days_are_compacted_published_and_tidied(home: Path) -> None:
    records = record_often(home)
    published(home)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    counts, first, number = {len(records)}, live_files(home), 0
    while number < 12 or first & parquet_files(home):
        with CostTracker(home) as tracker:
            records += [record(tracker, body(7000 + number), at=NOON + timedelta(days=day)) for day in range(2)]
        seal(Home(home))
        compact(Home(home))
        counts.add(len(records))
        with building(Home(home)):
            prepare(Home(home))
            publish_untested(Home(home))
            # Far longer than this reader holds a file.
            tidy(Home(home), timedelta(seconds=4))
        number += 1
    assert reader.poll() is None, reader.communicate()[1]
    reader.terminate()
    rest, errors = reader.communicate()
    answers = [int(answer) for answer in rest.split()]
    assert errors == ""
    assert set(answers) <= counts
    assert answers == sorted(answers)
    assert len(set(answers)) > 6
