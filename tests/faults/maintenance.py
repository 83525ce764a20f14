"""Operations on a ledger that a fault may interrupt: each as a command, and what doing it again must lead to."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from books import Seen, calls, record_all, sealed_and_visible, visible
from tracing import llm_cost

from tracking.home import Home
from warehouse.integrity.verify import verify
from warehouse.ledger.compact import compact
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.sealing.seal import seal

ERASED = "two"
SEALED = [*calls("one", 30), *calls(ERASED, 30)]
UNSEALED = [*calls("three", 20), *calls(ERASED, 35)[30:]]
ALL = SEALED + UNSEALED


@dataclass(frozen=True, slots=True)
class Operation:
    """`command` is run with a fault, `again` completes it whatever was left."""

    arguments: tuple[str, ...]
    again: Callable[[Home], object]

    def command(self, home: Path) -> list[str]:
        return llm_cost(*self.arguments, "--home", home)


def _erase(home: Home) -> None:
    report = erase(home, Person(ERASED))
    assert report.proven, report


OPERATIONS = {
    "seal": Operation(("seal",), seal),
    "compact": Operation(("compact",), compact),
    "erase": Operation(("erase", "--user", ERASED, "--yes"), _erase),
}


def make_ledger(home: Path) -> None:
    """Several segments a day, and two journals whose writers are gone; some of their rows are sealed already."""
    record_all(home, SEALED[:30])
    sealed_and_visible(home)
    record_all(home, SEALED[30:])
    sealed_and_visible(home)
    record_all(home, UNSEALED[:20] + SEALED[:5])
    record_all(home, UNSEALED[20:] + UNSEALED[:5])


def as_recorded(rows: Counter[Seen]) -> Counter[Seen]:
    """Under the names they were recorded by: there is one pseudonym here, and nobody else knows whose it is."""
    named: Counter[Seen] = Counter()
    for row, times in rows.items():
        named[row._replace(writer=ERASED) if row.writer.startswith("erased-") else row] += times
    return named


def readable(home: Path) -> Counter[Seen]:
    return as_recorded(visible(home))


def completed(home: Path, operation: Operation) -> Counter[Seen]:
    """What is visible once the operation was done again and all is sealed; everything is verified to be in order."""
    operation.again(Home(home))
    seal(Home(home))
    report = verify(Home(home))
    assert report.clean, report.problems
    return readable(home)
