"""The disk fails, or the process dies, at any one request of maintenance to the disk; then it is run again."""

import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from books import LONG, Call, Tally, calls, sealed_and_visible
from maintenance import ALL, OPERATIONS, SEALED, completed, make_ledger, readable
from tracing import Moment, inject, moments, needs_strace

pytestmark = needs_strace

SAMPLE = 2
FAULTS = {"killed": "signal=SIGKILL", "EIO": "error=EIO"} | ({"ENOSPC": "error=ENOSPC"} if LONG else {})


def chosen(possible: Sequence[Moment], fault: str) -> Sequence[Moment]:
    """All of them; in a short run a few, different calls first.

    Polars' threads wake each other by `write`, and hang where that fails: what a full disk does to their writes to
    files, test_full_disk.py shows.
    """
    if fault != "killed":
        possible = [moment for moment in possible if moment.call != "write"]
    if LONG:
        return possible
    shuffled = random.Random(fault).sample(possible, len(possible))
    first = {moment.call: moment for moment in shuffled}
    rest = [moment for moment in shuffled if moment not in first.values()]
    return [*first.values(), *rest][:SAMPLE]


WRITER = """
import os, sys
sys.path.insert(0, {here!r})
from books import calls, record
from tracking import CostTracker, LedgerError
notes = os.open({notes!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
def attempt(what, *arguments):
    try:
        return what(*arguments)
    except LedgerError as error:
        print(error)
while not (tracker := attempt(lambda: CostTracker({home!r}, durability={durability!r}))):
    pass
for call in calls("writer", 6):
    if attempt(record, tracker, call):
        os.pwritev(notes, [b"%d\\n" % call.number], 2 * call.number)
attempt(tracker.close)
"""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("durability", ["interval", "always"])
def test_nth_request_of_a_writer_to_the_disk(durability: str, fault: str, tmp_path: Path, tally: Tally) -> None:
    """An error is a `LedgerError`, and the next call is recorded again."""
    home, notes, log = tmp_path / "home", tmp_path / "notes", tmp_path / "strace.log"
    here = str(Path(__file__).parent)
    code = WRITER.format(here=here, notes=str(notes), home=str(home), durability=durability)

    def anew() -> list[str]:
        shutil.rmtree(home, ignore_errors=True)
        notes.unlink(missing_ok=True)
        return [sys.executable, "-c", code]

    possible = moments(anew(), log, home)
    for moment in possible if LONG else random.Random(fault).sample(possible, SAMPLE + 2):
        done = inject(anew(), log, moment, FAULTS[fault])
        assert done.returncode in ((-9, 137) if fault == "killed" else (0,)), (moment, done)
        acknowledged = [Call("writer", int(number)) for number in notes.read_text().replace("\0", "").split()]
        assert fault == "killed" or len(acknowledged) >= 4
        rows = sealed_and_visible(home) if (home / "ledger.toml").exists() else {}
        tally.count(rows, acknowledged, calls("writer", 6))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_nth_request_of_maintenance_to_the_disk(name: str, fault: str, tmp_path: Path, tally: Tally) -> None:
    operation = OPERATIONS[name]
    ledger, log, target = tmp_path / "ledger", tmp_path / "strace.log", tmp_path / "trial"
    make_ledger(ledger)

    def anew() -> list[str]:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(ledger, target)
        return operation.command(target)

    for moment in chosen(moments(anew(), log, target), fault):
        done = inject(anew(), log, moment, FAULTS[fault])
        assert "Traceback" not in done.stderr, (moment, done.stderr)
        assert done.returncode in ((-9, 137) if fault == "killed" else (0, 2)), (moment, done)
        # Whoever reads before it is done again sees what was sealed, each row once.
        tally.count(readable(target), SEALED, ALL)
        tally.count(completed(target, operation), ALL)
        assert not list((target / "journal").iterdir())
