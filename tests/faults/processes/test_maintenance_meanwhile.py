"""Every command at work on one home beside those who record, all of them killed at random."""

import subprocess
import sys
from pathlib import Path

from books import LONG, Tally
from everything_at_once import BATCH, RETENTION, TODAY, acknowledged, backups
from numbered_calls import EACH, cost_of, is_old, standing, usage_of, writer_of

from tracking.home import Home
from warehouse.building.build import build
from warehouse.integrity.verify import verify
from warehouse.ledger.compact import compact
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.privacy.retain import retain
from warehouse.published.proof import prove
from warehouse.published.read import open_warehouse
from warehouse.sealing.reprice import RowSelection, reprice
from warehouse.sealing.seal import seal

HOMES = 12 if LONG else 1
ROWS = 43_000 if LONG else 1_200


def test_every_command_at_once_beside_those_who_record(tmp_path: Path, tally: Tally) -> None:
    kills = 0
    for seed in range(HOMES):
        home, notes = Home(tmp_path / f"home-{seed}"), tmp_path / f"notes-{seed}"
        notes.mkdir()
        script = Path(__file__).with_name("everything_at_once.py")
        # Builds take a hundred times as long as all else: in one home they are among what is killed.
        with_build = ["build"] if LONG and seed == HOMES - 1 else []
        command = [sys.executable, str(script), str(home.root), str(notes), str(ROWS), str(seed), *with_build]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3000)
        failed = notes / "failed"
        assert (done.returncode, done.stderr, failed.exists()) == (0, "", False), failed.read_text() or done.stderr
        kills += int((notes / "kills").read_text())
        erased = _complete(home, notes)
        _count(home, notes, erased, tally)
        _check_quarantine(home, notes)
        _check_backups(notes)
        if with_build:
            build(home)
            with open_warehouse(home) as connection:
                assert all(proof.holds for proof in prove(connection))
    tally.trials = kills
    assert tally.acknowledged > HOMES * ROWS // 2


def _complete(home: Home, notes: Path) -> set[int]:
    """Do again whatever was interrupted; returns who was erased."""
    told = notes / "erased"
    erased = {int(line) for line in told.read_text().split()} if told.exists() else set[int]()
    seal(home)
    for writer in sorted(erased):
        report = erase(home, Person(writer_of(writer * EACH)))
        assert report.proven, report
    reprice(home, RowSelection())
    retain(home, RETENTION, today=TODAY)
    compact(home)
    report = verify(home)
    assert report.clean, report.problems
    return erased


def _count(home: Home, notes: Path, erased: set[int], tally: Tally) -> None:
    calls = standing(home.root)
    known: set[int] = set()
    for note in notes.glob("of-*"):
        writer = int(note.name.removeprefix("of-"))
        noted = acknowledged(notes, writer)
        assert noted == list(range(writer * EACH, writer * EACH + len(noted)))
        owed = {number for number in noted if not is_old(number)}
        tally.acknowledged += len(owed)
        tally.lost += len(owed - calls.keys())
        known |= owed | set(range(writer * EACH + len(noted), writer * EACH + len(noted) + BATCH))
        for number in owed & calls.keys():
            call = calls[number]
            assert (call.token_count, call.cost_usd) == (usage_of(number).token_count, cost_of(number)), (number, call)
            assert call.user.startswith("erased-") if writer in erased else call.user == writer_of(number)
    tally.doubled += sum(call.times - 1 for call in calls.values())
    tally.invented += len(calls.keys() - known)
    assert not any(map(is_old, calls))


def _check_quarantine(home: Home, notes: Path) -> None:
    """Refused calls are all kept, whatever was done meanwhile."""
    told = notes / "refused"
    kept = sum(file.read_bytes().count(b"\n") for file in home.quarantine.glob("refused-*.jsonl"))
    assert kept >= (told.stat().st_size if told.exists() else 0)


def _check_backups(notes: Path) -> None:
    for folder, owed in list(backups(notes))[-2:]:
        seal(Home(folder))
        report = verify(Home(folder))
        assert report.clean, report.problems
        assert {number for number in owed if not is_old(number)} <= standing(folder).keys()
