"""The power fails at any moment: what each durability promises is there, once, whatever else is not."""

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from books import LONG, Call, Tally, calls, record_all, sealed_and_visible
from power import Disk, Step, trace
from tracing import llm_cost, pytestmark_strace

pytestmark = pytestmark_strace

WRITER = """
import os, sys, time
sys.path.insert(0, {here!r})
from books import Call, record
from tracking import CostTracker
from tracking.journal import SYNC_SECONDS
notes = os.open({notes!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
tracker = CostTracker({home!r}, durability={durability!r})
for number in range(6):
    if number == 3:
        time.sleep(4 * SYNC_SECONDS)
    record(tracker, Call("writer", number))
    os.write(notes, b"%d\\n" % number)
os._exit(0)
"""
EXTREMES = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
"""How probable it is that an unsynced name, and unsynced data, is there."""
RANDOM = 6 if LONG else 1


def states(disk: Disk, target: Path, chance: random.Random) -> Iterator[tuple[float, float]]:
    """Makes `target` one thing after another that may be left now."""
    for names, data in [*EXTREMES, *((chance.random(), chance.random()) for _ in range(RANDOM))]:
        disk.leave(target, chance, names, data)
        yield names, data


def chosen(steps: Sequence[Step], every: int) -> set[int]:
    """After how many steps the power fails: after each one; in a short run after some, and after the last."""
    return set(range(0, len(steps) + 1, 1 if LONG else every)) | {len(steps)}


@pytest.mark.parametrize("durability", ["process", "interval", "always"])
def test_power_fails_while_calls_are_recorded(durability: str, tmp_path: Path, tally: Tally) -> None:
    disk_root, target, notes = tmp_path / "disk", tmp_path / "left", tmp_path / "notes"
    disk_root.mkdir()
    disk, chance = Disk(disk_root), random.Random(durability)
    here = str(Path(__file__).parent)
    code = WRITER.format(here=here, notes=str(notes), home=str(disk_root / "home"), durability=durability)
    steps = trace([sys.executable, "-c", code], tmp_path / "log")
    recorded = calls("writer", 6)
    owed: list[Call] = []
    written = acknowledged = lost = 0
    moments = chosen(steps, 7)
    for number, step in enumerate([*steps, None]):
        if number in moments:
            for extreme in states(disk, target, chance):
                rows = sealed_and_visible(target / "home") if (target / "home" / "ledger.toml").exists() else {}
                tally.count(rows, owed, recorded)
                if extreme == (0.0, 0.0):
                    lost = acknowledged - len(rows)
        if step is None:
            break
        disk.apply(step)
        if step.paths[0] == str(notes) and step.call == "write":
            acknowledged += 1
            if durability == "always":
                owed = recorded[:acknowledged]
        elif "/journal/" in step.paths[0]:
            written += step.call == "write"
            if step.call == "fdatasync" and durability == "interval":
                owed = recorded[:written]
    assert acknowledged == 6
    # And no more than that is promised: three were recorded long before the end, three at the very end.
    assert (len(owed), lost) == {"process": (0, 6), "interval": (3, 3), "always": (6, 0)}[durability]


def test_power_fails_during_a_seal(tmp_path: Path, tally: Tally) -> None:
    root, target = tmp_path / "disk", tmp_path / "left"
    root.mkdir()
    recorded = [call for writer in ("one", "two") for call in calls(writer, 30)]
    record_all(root / "home", recorded[:30])
    sealed_and_visible(root / "home")
    record_all(root / "home", recorded[30:])
    record_all(root / "home", [*recorded[:3], *calls("three", 3)])
    recorded += calls("three", 3)
    disk, chance = Disk(root), random.Random("seal")
    steps = trace(llm_cost("seal", "--home", root / "home"), tmp_path / "log")
    moments = chosen(steps, len(steps) // 25)
    for number, step in enumerate([*steps, None]):
        if number in moments:
            for _ in states(disk, target, chance):
                tally.count(sealed_and_visible(target / "home"), recorded)
        if step is not None:
            disk.apply(step)
    # The replay is true: it ends in what the real disk holds.
    real = {str(path): None if path.is_dir() else path.read_bytes() for path in root.rglob("*")}
    assert disk.everything() == real
