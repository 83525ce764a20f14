"""What waits in the journals: which of it sealing should have taken."""

from datetime import UTC, datetime
from pathlib import Path

from ledgers import journals, record

from tracking import CostTracker
from tracking.home import Home
from warehouse.sealing.seal import seal
from warehouse.sealing.waiting import QUIET, waiting_journals


def now() -> datetime:
    return datetime.now(UTC)


def later() -> datetime:
    return now() + 2 * QUIET


def test_what_was_recorded_waits_until_it_is_sealed(home: Path) -> None:
    with CostTracker(home) as tracker:
        record(tracker)
        (journal,) = waiting_journals(Home(home))
        assert (journal.path, journal.waiting_bytes) == (journals(home)[0], journals(home)[0].stat().st_size)
        assert not journal.was_passed_over(now())
        assert journal.was_passed_over(later())
        seal(Home(home))
        assert waiting_journals(Home(home)) == []


def test_the_beginning_of_a_line_was_not_passed_over(home: Path) -> None:
    with CostTracker(home) as tracker:
        record(tracker)
        seal(Home(home))
        with journals(home)[0].open("ab") as file:
            file.write(b"half a line")
        (journal,) = waiting_journals(Home(home))
        assert journal.waiting_bytes == len(b"half a line")
        assert not journal.was_passed_over(later())


def test_a_journal_that_is_sealed_and_gone_meanwhile_was_not_passed_over(home: Path) -> None:
    with CostTracker(home) as tracker:
        record(tracker)
    (journal,) = waiting_journals(Home(home))
    seal(Home(home))
    assert not journal.path.exists()
    assert not journal.was_passed_over(later())
