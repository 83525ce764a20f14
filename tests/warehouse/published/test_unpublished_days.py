"""Which days the published reports do not have as they are sealed now."""

from datetime import timedelta
from pathlib import Path

from ledgers import NOON, body, publish_untested, record

from tracking import CostTracker
from tracking.book_settings import Retention
from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.ledger.days import fingerprints, sealed_days
from warehouse.privacy.retain import retain
from warehouse.published.unpublished_days import unpublished_days
from warehouse.sealing.seal import seal

LONG_AGO = NOON - timedelta(days=400)


def test_days_are_unpublished_while_they_are_new_or_changed_or_gone(home: Path) -> None:
    ledger = Home(home)
    with CostTracker(home) as tracker:
        record(tracker, at=LONG_AGO)
        record(tracker, at=NOON)
        record(tracker, at=NOON + timedelta(days=1))
        seal(ledger)
        sealed = fingerprints(sealed_days(ledger))
        assert unpublished_days(ledger) == sealed, "nothing is published yet"

        prepare(ledger)
        publish_untested(ledger)
        assert unpublished_days(ledger) == {}

        record(tracker, body(3, 4), at=NOON)
        record(tracker, at=NOON + timedelta(days=2))
    seal(ledger)
    retain(ledger, Retention(rows_days=365), today=NOON.date() + timedelta(days=3))
    now = fingerprints(sealed_days(ledger))
    day = NOON.date()
    assert unpublished_days(ledger) == {
        LONG_AGO.date(): None,
        day: now[day],
        day + timedelta(days=2): now[day + timedelta(days=2)],
    }
