"""The sealer: what was recorded is visible once and exactly, whatever happened to writers and sealers."""

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

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
from sealed import live_segments, quarantined, three_lines

import warehouse.ledger.segments
import warehouse.sealing.seal
from tracking import CostTracker, LedgerError, LLMUsageRecord
from tracking.home import Home
from tracking.journal.writer import encode_line, record_line
from tracking.usage import MAX_COUNT
from warehouse.ledger.manifest import Manifest
from warehouse.sealing.seal import seal


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
