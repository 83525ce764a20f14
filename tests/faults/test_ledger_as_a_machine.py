"""Recording, sealing, compacting, erasing, retaining, crashing and reading in any order, against a dict that knows."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from books import LONG, Call, Seen, Tally, record, seen, visible
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tracking import CostTracker
from tracking.book_settings import Retention
from tracking.home import Home
from warehouse.integrity.verify import verify
from warehouse.ledger.compact import compact
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.privacy.retain import retain
from warehouse.sealing.seal import seal

WRITERS = st.sampled_from(["one", "two", "three"])
TODAY = date(2026, 11, 3)
"""Calls are of the day before this one, or of this one."""
INTERRUPTED = (seal, compact)
REQUESTS = ("fsync", "fdatasync", "rename", "replace", "unlink", "link")


class Crash(BaseException):
    """The process dies here: nothing that follows is done, not even by those who handle errors."""


def crashing_after(requests: int) -> AbstractContextManager[object]:
    """So many requests that make a change last, or visible, are granted; the process dies at the next one."""
    left = [requests]

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            return real(*arguments, **options)

        return call

    return patch.multiple(os, **{name: counted(getattr(os, name)) for name in REQUESTS})


class Ledger(RuleBasedStateMachine):
    tally: Tally

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.home = Home(Path(self.folder.name) / "home")
        self.tracker = CostTracker(self.home.root)
        self.expected: dict[Call, str] = {}
        """Each call that was recorded and not removed, and whose it is now."""
        self.sealed: set[Call] = set()
        self.numbers = 0

    def teardown(self) -> None:
        self.tracker.close()
        self.folder.cleanup()

    @rule(writer=WRITERS, count=st.integers(1, 5), again=st.booleans())
    def record(self, writer: str, count: int, again: bool) -> None:
        for _ in range(count):
            call = Call(writer, self.numbers)
            self.numbers += 1
            for _ in range(1 + again):
                record(self.tracker, call)
            self.expected[call] = writer

    @rule()
    def the_writer_dies(self) -> None:
        """And lets go of its file, as the kernel would make it."""
        self.tracker.close()

    @rule()
    def seal(self) -> None:
        seal(self.home)
        self.sealed = set(self.expected)

    @rule()
    def compact(self) -> None:
        compact(self.home)

    @rule(writer=WRITERS)
    def erase(self, writer: str) -> None:
        self.seal()
        assert erase(self.home, Person(writer)).proven
        for call, owner in self.expected.items():
            if owner == writer:
                self.expected[call] = "erased"

    @rule()
    def retain_rows(self) -> None:
        self.seal()
        retain(self.home, Retention(rows_days=1), today=TODAY.replace(day=4))
        self.expected = {call: owner for call, owner in self.expected.items() if call.at.date() >= TODAY}
        self.sealed = set(self.expected)

    @rule(requests=st.integers(0, 40), which=st.sampled_from(INTERRUPTED))
    def crash(self, requests: int, which: Callable[[Home], object]) -> None:
        with crashing_after(requests):
            try:
                which(self.home)
            except Crash:
                pass
            except BaseException as error:
                if not isinstance(error.__context__, Crash):
                    raise

    @invariant()
    def everything_is_there_once(self) -> None:
        rows = Counter({self._named(row): times for row, times in visible(self.home.root).items()})
        missing = {self._as_owned(call) for call in self.sealed} - rows.keys()
        invented = rows.keys() - {self._as_owned(call) for call in self.expected}
        assert not missing
        assert not invented
        assert set(rows.values()) <= {1}
        self.tally.trials += 1
        self.tally.acknowledged += len(rows)

    @invariant()
    def verified(self) -> None:
        report = verify(self.home)
        assert report.clean, report.problems

    def _as_owned(self, call: Call) -> Seen:
        return seen(call)._replace(writer=self.expected[call])

    @staticmethod
    def _named(row: Seen) -> Seen:
        return row._replace(writer="erased") if row.writer.startswith("erased-") else row


def test_any_sequence_of_operations_and_crashes(tally: Tally) -> None:
    Ledger.tally = tally
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=150 if LONG else 8,
            stateful_step_count=25 if LONG else 12,
            suppress_health_check=list(HealthCheck),
        ),
    )
