"""The ledger's days: what segments sum to by day, and which days something derived has no longer as they are."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import MEASURES, NOON, body, record, record_month, sums

from tracking import CostTracker
from tracking.home import Home
from warehouse.ledger.days import fingerprints, sealed_days, stale_days
from warehouse.sealing.seal import seal

DAYS = st.dates(date(2026, 11, 1), date(2026, 11, 6))
FINGERPRINTS = st.dictionaries(DAYS, st.sampled_from(["a", "b"]))


def test_each_day_sums_to_its_records_exactly(home: Path) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = record_month(tracker)
    seal(Home(home))
    days = sealed_days(Home(home))
    assert list(days) == sorted({made.occurred_at.date() for made in records})
    for day, sealed in days.items():
        of_day = [made for made in records if made.occurred_at.date() == day]
        assert tuple(getattr(sealed, measure) for measure in MEASURES) == sums(of_day)
        assert (sealed.usage_date, sealed.row_count) == (day, len(of_day))


def test_a_ledger_without_rows_has_no_days(home: Path) -> None:
    Home(home).open()
    assert sealed_days(Home(home)) == {}


def test_a_day_is_stale_once_it_is_sealed_again_or_the_reports_move_to_another_zone(home: Path) -> None:
    ledger = Home(home)
    with CostTracker(home) as tracker:
        record(tracker, at=NOON)
        record(tracker, at=NOON + timedelta(days=1))
        seal(ledger)
        before = fingerprints(sealed_days(ledger))
        record(tracker, body(7, 8), at=NOON)
    seal(ledger)
    after = fingerprints(sealed_days(ledger))
    assert stale_days(before, after) == {NOON.date(): after[NOON.date()]}
    ledger.ledger_toml.write_text(
        ledger.ledger_toml.read_text().replace('reporting_timezone = "UTC"', 'reporting_timezone = "Europe/Berlin"')
    )
    moved = fingerprints(sealed_days(ledger))
    assert stale_days(after, moved) == moved


@given(derived=FINGERPRINTS, ledger=FINGERPRINTS)
def test_bringing_stale_days_up_to_date_leaves_none(derived: Mapping[date, str], ledger: Mapping[date, str]) -> None:
    stale = stale_days(derived, ledger)
    assert list(stale) == sorted(stale)
    others = {day: fingerprint for day, fingerprint in derived.items() if day not in stale}
    brought = others | {day: fingerprint for day, fingerprint in stale.items() if fingerprint is not None}
    assert brought == ledger
    assert stale_days(brought, ledger) == {}
    assert all(derived.get(day) != fingerprint for day, fingerprint in stale.items())


@pytest.mark.parametrize("gone", [{}, {date(2026, 11, 2): "b"}])
def test_a_day_that_is_gone_has_no_fingerprint_now(gone: dict[date, str]) -> None:
    assert stale_days({date(2026, 11, 1): "a"} | gone, gone) == {date(2026, 11, 1): None}
