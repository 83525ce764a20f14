"""The disk fails, or the process dies, at any one request of maintenance to the disk; then it is run again."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from books import LONG, Tally
from maintenance import ALL, OPERATIONS, SEALED, completed, make_ledger, readable
from tracing import Moment, inject, moments, pytestmark_strace

pytestmark = pytestmark_strace

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
