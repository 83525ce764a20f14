"""The disk fails, or the process dies, at any one request of maintenance to the disk; then it is run again."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from books import LONG, Tally, calls, record_all, sealed_and_visible, visible
from tracing import Moment, inject, llm_cost, moments, pytestmark_strace

pytestmark = pytestmark_strace

SAMPLE = 4
FAULTS = {"killed": "signal=SIGKILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
RECORDED = {writer: calls(writer, 40) for writer in ("one", "two", "three")}
ALL = [call for each in RECORDED.values() for call in each]


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


@pytest.fixture
def partly_sealed(tmp_path: Path) -> Path:
    """A home with a segment, and with two journals whose writers are gone; some of their rows are sealed already."""
    home = tmp_path / "home"
    record_all(home, RECORDED["one"])
    assert sealed_and_visible(home).total() == len(RECORDED["one"])
    record_all(home, RECORDED["two"] + RECORDED["one"][:5])
    record_all(home, RECORDED["three"] + RECORDED["two"][:5])
    return home


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seal_whose_nth_request_to_the_disk_is(fault: str, tmp_path: Path, partly_sealed: Path, tally: Tally) -> None:
    log, target = tmp_path / "strace.log", tmp_path / "trial"

    def anew() -> list[str]:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(partly_sealed, target)
        return llm_cost("seal", "--home", target)

    for moment in chosen(moments(anew(), log, target), fault):
        done = inject(anew(), log, moment, FAULTS[fault])
        assert "Traceback" not in done.stderr, (moment, done.stderr)
        assert done.returncode in ((-9, 137) if fault == "killed" else (0, 2)), (moment, done)
        # Whoever reads before it is run again sees what was sealed, each row once.
        tally.count(visible(target), RECORDED["one"], ALL)
        tally.count(sealed_and_visible(target), ALL)
        assert not list((target / "journal").iterdir())
