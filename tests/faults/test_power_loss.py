"""The power fails at any moment: what each durability promises is there, once, whatever else is not."""

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from books import LONG, Tally, calls, sealed_and_visible
from maintenance import ALL, OPERATIONS, SEALED, completed, make_ledger, readable
from power import Disk, Step, trace
from tracing import needs_strace

pytestmark = needs_strace

WRITER = """
import os, sys, time
sys.path.insert(0, {here!r})
from books import Call, record
from tracking import CostTracker
from tracking.journal.writer import SYNC_SECONDS
notes = os.open({notes!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
tracker = CostTracker({home!r}, durability={durability!r})
for number in range(6):
    if number == 3:
        time.sleep(4 * SYNC_SECONDS)
    record(tracker, Call("writer", number))
    os.write(notes, b"%d\\n" % number)
os._exit(0)
"""
EXTREMES = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
"""How probable it is that an unsynced name, and unsynced data, is there."""
RANDOM = 4 if LONG else 1


@dataclass(slots=True)
class Progress:
    """How many rows were acknowledged by now, and how many of them are owed after a power loss."""

    durability: str
    acknowledged: int = 0
    owed: int = 0
    written: int = 0
    being_synced: int = 0
    synced: int = 0

    def note(self, step: Step, notes: Path) -> None:
        path = Path(step.paths[0])
        if path == notes and step.call == "write":
            self.acknowledged += 1
            if self.durability == "always":
                self.owed = self.acknowledged
        elif path.parent.name == "journal":
            self._note_journal(step.call)
        elif path.name == "journal" and step.call == "fsync" and self.durability == "interval":
            self.owed = self.synced

    def _note_journal(self, call: str) -> None:
        if call == "write":
            self.written += 1
        elif call == "begin":
            self.being_synced = self.written
        elif call == "fdatasync":
            # The first sync of a file is complete with that of its folder.
            self.synced = self.being_synced or self.written
            self.being_synced = 0
            if self.owed:
                self.owed = self.synced


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
    steps = trace([sys.executable, "-c", code], tmp_path / "log", tmp_path)
    recorded = calls("writer", 6)
    progress = Progress(durability)
    lost = 0
    moments = chosen(steps, 12)
    for number, step in enumerate([*steps, None]):
        if number in moments:
            for extreme in states(disk, target, chance):
                rows = sealed_and_visible(target / "home") if (target / "home" / "ledger.toml").exists() else {}
                tally.count(rows, recorded[: progress.owed], recorded)
                if extreme == (0.0, 0.0):
                    lost = progress.acknowledged - len(rows)
        if step is None:
            break
        disk.apply(step)
        progress.note(step, notes)
    assert progress.acknowledged == 6
    # Three were recorded long before the end, three at the very end. And no more is promised than is owed.
    owed = {"process": range(1), "interval": range(3, 7), "always": range(6, 7)}
    assert progress.owed in owed[durability]
    assert lost == progress.acknowledged - progress.owed


@pytest.mark.parametrize("name", OPERATIONS)
def test_power_fails_during_maintenance(name: str, tmp_path: Path, tally: Tally) -> None:
    operation = OPERATIONS[name]
    root, target = tmp_path / "disk", tmp_path / "left"
    root.mkdir()
    make_ledger(root / "home")
    disk, chance = Disk(root), random.Random(name)
    steps = trace(operation.command(root / "home"), tmp_path / "log", root)
    moments = chosen(steps, len(steps) // 3)
    for number, step in enumerate([*steps, None]):
        if number in moments:
            for _ in states(disk, target, chance):
                tally.count(readable(target / "home"), SEALED, ALL)
                tally.count(completed(target / "home", operation), ALL)
        if step is not None:
            disk.apply(step)
    # The replay is true: it ends in what the real disk holds.
    real = {str(path): None if path.is_dir() else path.read_bytes() for path in root.rglob("*")}
    assert disk.everything() == real
