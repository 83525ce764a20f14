"""Verification is clean beside writers, sealers, compaction and whatever else replaces files."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from ledgers import NOON, body, record

from tracking import CostTracker
from tracking.home import Home
from warehouse.integrity.verify import VerifyReport, verify
from warehouse.integrity.verify_segments import SegmentVerifier
from warehouse.ledger.compact import compact
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.tidy import delete_retired
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.sealing.reprice import RowSelection, reprice
from warehouse.sealing.seal import seal

OWN_PRICE = """
[[price]]
provider = "openai"
model = "school-own-grader"
rates = { input_mtok = "1", output_mtok = "2" }
"""


def test_what_is_replaced_and_deleted_while_it_is_looked_at_is_no_problem(home: Path) -> None:
    with CostTracker(home) as tracker:
        for number in range(3):
            record(tracker, body(number))
            seal(tracker.home)
    done: list[int] = []

    def replace_all(_: int) -> None:
        if not done:
            done.append(1)
            compact(Home(home))
            with Manifest(Home(home)) as manifest:
                delete_retired(Home(home), manifest, manifest.retired())

    assert verify(Home(home), replace_all).problems == []
    assert len(list((home / "usage").rglob("*.parquet"))) == 1


def test_a_call_whose_segment_is_replaced_after_its_correction_was_looked_at_is_no_orphan(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        record(tracker, body(model="school-own-grader"), user="erased one")
    seal(Home(home))
    (home / "prices.toml").write_text(OWN_PRICE)
    assert reprice(Home(home), RowSelection()).rows == 1
    look, looked = SegmentVerifier.verify, list[str]()

    def look_and_replace(verifier: SegmentVerifier, segment: Segment) -> None:
        look(verifier, segment)
        if not looked:
            assert "/decided-" in segment.file
            assert erase(Home(home), Person("erased one")).proven
        looked.append(segment.file)

    monkeypatch.setattr(SegmentVerifier, "verify", look_and_replace)
    report = verify(Home(home))
    assert len(looked) == 2
    assert report.clean, report.problems


def test_it_is_clean_beside_writers_sealers_and_compaction(home: Path) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def work(tracker: CostTracker) -> None:
        try:
            number = 0
            while not stop.is_set():
                number += 1
                record(tracker, body(number), at=NOON + timedelta(days=number % 3))
                if number % 40 == 0:
                    seal(Home(home))
                    compact(Home(home))
        except BaseException as error:
            failures.append(error)

    reports: list[VerifyReport] = []
    with CostTracker(home, durability="process") as tracker:
        record(tracker)
        threads = [threading.Thread(target=work, args=(tracker,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        reports += [verify(Home(home)) for _ in range(12)]
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert [report.problems for report in reports] == [[]] * len(reports)
    assert reports[-1].rows > reports[0].rows
