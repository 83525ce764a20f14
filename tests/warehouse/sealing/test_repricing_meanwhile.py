"""Re-pricing decides against what it appends to, whatever others do meanwhile."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dying import deaths
from ledgers import NOON, body, record

from tracking import CostTracker
from tracking.book_settings import Retention
from tracking.home import Home
from warehouse.integrity.verify import verify
from warehouse.ledger.compact import compact
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.privacy.retain import retain
from warehouse.sealing import reprice as reprice_module
from warehouse.sealing.reprice import RowSelection, reprice
from warehouse.sealing.seal import seal

OWN_PRICE = """
[[price]]
provider = "openai"
model = "school-own-grader"
[price.rates]
input_mtok = 1
output_mtok = 2
"""
LEFT_ALONE = "teacher-1"
LEAVER = "pupil-4711"
STREAM = "stream"


def ledger(home: Path) -> pl.DataFrame:
    return pl.concat(
        [pl.read_parquet(file, hive_partitioning=False) for file in live_files(home)], how="diagonal"
    ).sort("recorded_at")


def live_files(home: Path) -> list[Path]:
    from warehouse.ledger.manifest import Manifest

    with Manifest(Home(home)) as manifest:
        return [home / "usage" / segment.file for segment in manifest.segments()]


def own(output_tokens: int = 10, **fields: Any) -> dict[str, Any]:
    return body(1000, output_tokens, model="school-own-grader", **fields)


@pytest.fixture
def unpriced(home: Path) -> Home:
    """Unpriced calls of two days and two users, a stream that broke off among them; since then there is a price."""
    with CostTracker(home, on_unknown_model="record") as tracker:
        record(tracker, own(id=STREAM), user=LEFT_ALONE, status="partial")
        for number in range(4):
            record(tracker, own(id=f"{number}"), user=LEAVER, at=NOON + timedelta(days=number % 2))
    seal(Home(home))
    (home / "prices.toml").write_text(OWN_PRICE, encoding="utf-8")
    return Home(home)


class Meanwhile:
    """Somebody else's work, begun as soon as re-pricing has read rows; whoever re-prices waits a moment for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
        self._cost = reprice_module.cost_of_row
        self._thread = threading.Thread(target=self._run)
        self._work = work
        self.error: BaseException | None = None
        monkeypatch.setattr(reprice_module, "cost_of_row", self._priced)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.error = error

    def _priced(self, *arguments: Any) -> Any:
        if self._thread.ident is None:
            self._thread.start()
            self._thread.join(2)  # one that waits for a lock is not waited for
        return self._cost(*arguments)

    def done(self) -> None:
        self._thread.join()
        assert self.error is None, self.error


def assert_in_order(home: Home) -> None:
    seal(home)
    report = verify(home)
    assert report.clean, report.problems
    rows = ledger(home.root)
    usage = set(rows.filter(pl.col("charge_class") == "usage")["record_id"])
    assert set(rows["corrects_record_id"].drop_nulls()) <= usage, "a correction of nothing"
    assert rows["record_id"].is_unique().all()


@pytest.mark.parametrize("sealed_by_others", [True, False])
def test_a_final_answer_meanwhile_is_what_the_call_costs(
    unpriced: Home, monkeypatch: pytest.MonkeyPatch, sealed_by_others: bool
) -> None:
    def answer() -> None:
        with CostTracker(unpriced.root) as tracker:
            record(tracker, own(100, id=STREAM), user=LEFT_ALONE)
        if sealed_by_others:
            seal(unpriced)

    meanwhile = Meanwhile(monkeypatch, answer)
    reprice(unpriced, RowSelection())
    meanwhile.done()
    assert_in_order(unpriced)
    stream = ledger(unpriced.root).filter(pl.col("user_id") == LEFT_ALONE)
    assert stream["cost_usd"].sum() == Decimal("0.0012")
    assert stream["token_count"].sum() == 1100
    assert (stream["charge_class"] == "usage").sum() == 1
    assert reprice(unpriced, RowSelection()).rows == 0


def test_who_is_erased_meanwhile_stays_erased(unpriced: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[Any] = []
    meanwhile = Meanwhile(monkeypatch, lambda: reports.append(erase(unpriced, Person(LEAVER))))
    reprice(unpriced, RowSelection())
    meanwhile.done()
    assert reports[0].proven
    assert_in_order(unpriced)
    rows = ledger(unpriced.root)
    assert LEAVER not in set(rows["user_id"])
    assert not [path for path in unpriced.journal.iterdir() if LEAVER.encode() in path.read_bytes()]
    reprice(unpriced, RowSelection())
    rows = ledger(unpriced.root).group_by("user_id").agg(pl.col("cost_usd").sum())
    assert sorted(rows["cost_usd"]) == [Decimal("0.00102"), Decimal("0.00408")]
    assert LEAVER not in set(rows["user_id"])


def test_no_correction_outlives_rows_that_are_retained_no_longer(
    unpriced: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = (NOON + timedelta(days=1)).date()
    meanwhile = Meanwhile(monkeypatch, lambda: retain(unpriced, Retention(rows_days=1), today=today + timedelta(1)))
    reprice(unpriced, RowSelection())
    meanwhile.done()
    assert_in_order(unpriced)
    rows = ledger(unpriced.root)
    assert {instant.date() for instant in rows["occurred_at"]} == {today}
    assert rows["cost_usd"].sum() == Decimal("0.00204")


def test_compaction_and_another_repricing_meanwhile_change_nothing(
    unpriced: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> None:
        compact(unpriced)
        reprice(unpriced, RowSelection())

    meanwhile = Meanwhile(monkeypatch, work)
    reprice(unpriced, RowSelection())
    meanwhile.done()
    assert_in_order(unpriced)
    rows = ledger(unpriced.root)
    assert rows["cost_usd"].sum() == Decimal("0.0051")
    assert (rows["charge_class"] == "correction").sum() == 5


def test_recording_waits_for_no_repricing(unpriced: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = threading.Event()

    def work() -> None:
        with CostTracker(unpriced.root) as tracker:
            record(tracker, own(id="meanwhile"))
        recorded.set()

    meanwhile = Meanwhile(monkeypatch, work)

    def priced(*arguments: Any) -> Any:
        cost = meanwhile._priced(*arguments)
        assert recorded.wait(30), "record() waits for a lock"
        return cost

    monkeypatch.setattr(reprice_module, "cost_of_row", priced)
    reprice(unpriced, RowSelection())
    meanwhile.done()
    assert recorded.is_set()
    assert_in_order(unpriced)


def test_rows_that_wait_in_journals_are_settled_before_a_decision(
    unpriced: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two days of one re-pricing everything may change: each day is decided against what stands then."""
    begun: list[date] = []
    selected = reprice_module._selected

    def selecting(home: Home, day: list[Any], selection: RowSelection) -> Any:
        begun.append(day[0].usage_date)
        rows = list(selected(home, day, selection))
        if len(begun) == 1:
            with CostTracker(home.root) as tracker:
                record(tracker, own(500, id="1"), user=LEAVER, at=NOON + timedelta(days=1))
        return iter(rows)

    monkeypatch.setattr(reprice_module, "_selected", selecting)
    reprice(unpriced, RowSelection())
    assert len(begun) == 2
    assert_in_order(unpriced)
    rows = ledger(unpriced.root)
    # Day one: a stream and two calls; day two: a call, and one that went on to 500 tokens.
    assert rows["cost_usd"].sum() == Decimal("0.00102") * 4 + Decimal("0.002")
    assert rows["token_count"].sum() == 4 * 1010 + 1500


def test_a_chunk_of_corrections_is_sealed_without_what_others_recorded(
    unpriced: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day of many corrections is sealed in several journals: the last is decided on the same rows as the first."""
    monkeypatch.setattr(reprice_module, "CHUNK_BYTES", 1)
    cost = reprice_module.cost_of_row
    answered: list[bool] = []

    def answering(*arguments: Any) -> Any:
        if not answered:
            answered.append(True)
            with CostTracker(unpriced.root) as tracker:
                for number in (STREAM, "0", "2"):
                    record(tracker, own(100, id=number), user=LEFT_ALONE if number == STREAM else LEAVER)
        return cost(*arguments)

    monkeypatch.setattr(reprice_module, "cost_of_row", answering)
    reprice(unpriced, RowSelection())
    assert_in_order(unpriced)
    rows = ledger(unpriced.root)
    assert rows["token_count"].sum() == 3 * 1100 + 2 * 1010
    assert rows["cost_usd"].sum() == 3 * Decimal("0.0012") + 2 * Decimal("0.00102")


def test_whenever_a_repricing_dies_a_final_answer_or_an_erasure_after_it_is_right(
    unpriced: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it left in a journal is sealed before anything else can change what it was decided against."""
    for died in deaths(unpriced.root, lambda home: reprice(Home(home), RowSelection()), monkeypatch):
        with CostTracker(died) as tracker:
            record(tracker, own(100, id=STREAM), user=LEFT_ALONE)
        home = Home(died)
        assert erase(home, Person(LEAVER)).proven
        assert_in_order(home)
        reprice(home, RowSelection())
        rows = ledger(died)
        assert rows["cost_usd"].sum() == Decimal("0.00408") + Decimal("0.0012")
        assert rows["token_count"].sum() == 4 * 1010 + 1100
        assert LEAVER not in set(rows["user_id"])
        assert_in_order(home)


KILLED = """
import os, signal, sys
from tracking.home import Home
from warehouse.sealing import reprice as module
from warehouse.sealing.seal import Sealer

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

Sealer.seal_journals, real = (lambda self, paths, progress=None: (
    die() if any(path.name.startswith("decided-") for path in paths) else real(self, paths, progress)
)), Sealer.seal_journals
module.reprice(Home(sys.argv[1]), module.RowSelection())
"""


def test_a_repricing_killed_before_its_journal_is_sealed_leaves_the_right_sum(unpriced: Home) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, unpriced.root], env=os.environ, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    with CostTracker(unpriced.root) as tracker:
        record(tracker, own(100, id=STREAM), user=LEFT_ALONE)
    # The journal of an application may be called whatever its host is.
    for journal in unpriced.journal.glob("*.log"):
        if not journal.name.startswith("decided-"):
            journal.rename(journal.with_name(f"a-{journal.name}"))
    assert_in_order(unpriced)
    stream = ledger(unpriced.root).filter(pl.col("user_id") == LEFT_ALONE)
    assert stream["cost_usd"].sum() == Decimal("0.0012")
    assert stream["token_count"].sum() == 1100
