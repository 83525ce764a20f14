"""Writers record while every other command works on the same home, and any of them is killed at any moment.

Run as a process of its own: `everything_at_once.py HOME NOTES ROWS SEED [build]`. It ends once so many rows were
acknowledged and enough commands were done. A writer notes each number after `record()` returned, and what it noted is
synced before anybody is killed; what goes wrong in any process is written to `failed` in the notes.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path

from numbered_calls import EACH, PRICES, arguments_of, is_old, is_streamed, standing, writer_of

from tracking import CostTracker, ResponseError
from tracking.book_settings import Retention
from tracking.home import Home
from warehouse.building.build import build
from warehouse.integrity.backup import backup
from warehouse.integrity.verify import verify
from warehouse.ledger.compact import compact
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.privacy.retain import retain
from warehouse.quarantine.replay import Missing, replay
from warehouse.quarantine.selection import CallSelection
from warehouse.sealing.reprice import RowSelection, reprice
from warehouse.sealing.seal import seal

WRITERS = 4
KEEPERS = 3
"""How many of each are at work at any moment."""
ROWS_A_COMMAND = 1000
"""For so many rows one command has to get through; writers pause until it has."""
BATCH = 20
NOTE = b"%012d\n"
TODAY = date(2026, 11, 10)
RETENTION = Retention(prompts_days=7, rows_days=30)


class Crew:
    """The processes at work, and the coordinator's notes of them."""

    def __init__(self, home: Home, notes: Path, chance: random.Random, *, with_build: bool) -> None:
        self.home = home
        self.notes = notes
        self.chance = chance
        self.kills = 0
        self.done = 0
        self._names = count()
        self._writers: dict[int, int] = {}
        """By process: the writer's number."""
        self._keepers: dict[int, str] = {}
        self._reader = 0
        self._pausing = False
        self._gone: list[int] = []
        """Writers that were killed and not yet erased."""
        self._work: dict[str, Callable[[], object]] = {
            "seal": partial(seal, home),
            "compact": partial(compact, home),
            "retain": partial(retain, home, RETENTION, today=TODAY),
            "reprice": partial(reprice, home, RowSelection()),
            "restate": partial(reprice, home, RowSelection(restate=True)),
            "replay": partial(replay, home, CallSelection(), Missing()),
            "verify": partial(_verify, home),
            "erase": self._erase_one,
            "backup": self._back_up,
        }
        if with_build:
            self._work["build"] = partial(build, home)
            # An erasure makes every report anew: there would be nothing but builds.
            del self._work["erase"]

    def man(self) -> None:
        while len(self._writers) < WRITERS and not self._pausing:
            number = next(self._names)
            self._writers[self._forked("writer", partial(_write, self.home, self.notes, number))] = number
        while len(self._keepers) < KEEPERS:
            name = self.chance.choice(list(self._work))
            # Whom it is about is decided here: a killed process tells nobody.
            work = self._work[name]() if name in ("erase", "backup") else self._work[name]
            if callable(work):
                self._keepers[self._forked(name, work)] = name

    def read(self) -> None:
        self._reader = self._forked("reader", partial(_read, self.home.root, self.notes))

    def watch(self) -> None:
        """Take note of who ended by itself: a keeper may, where it was done."""
        for process in [*self._writers, *self._keepers, self._reader]:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                name = self._keepers.pop(process, None)
                if name is None or status:
                    raise SystemExit(f"{name or 'a writer or reader'} ended with {status}: {_failure(self.notes)}")
                self.done += 1
                with (self.notes / "done").open("a") as file:
                    file.write(f"{name}\n")

    def pause_writers(self, *, pausing: bool) -> None:
        if pausing != self._pausing:
            self._pausing = pausing
            for process in self._writers:
                os.kill(process, signal.SIGSTOP if pausing else signal.SIGCONT)

    def kill_one(self) -> None:
        """Keepers more often than writers, who come to nothing in their first moments."""
        crew = self._keepers if self._keepers and self.chance.random() < 0.7 else self._writers
        self._kill(self.chance.choice(list(crew)))

    def end(self) -> None:
        for process in [*self._writers, *self._keepers, self._reader]:
            with suppress(ProcessLookupError, ChildProcessError):
                self._kill(process)

    def _kill(self, process: int) -> None:
        number = self._writers.pop(process, None)
        self._keepers.pop(process, None)
        if number is not None:
            self._gone.append(number)
            _sync(note_of(self.notes, number))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        self.kills += 1

    def _erase_one(self) -> Callable[[], object] | None:
        """Of somebody who records no more."""
        if len(self._gone) < 3:
            return None
        number = self._gone.pop(self.chance.randrange(len(self._gone)))
        with (self.notes / "erased").open("a") as file:
            file.write(f"{number}\n")
        return partial(_erase, self.home, number)

    def _back_up(self) -> Callable[[], object]:
        """What was acknowledged before it began is to be in it."""
        owed = {number: len(acknowledged(self.notes, number)) for number in self._writers.values()}
        return partial(_back_up, self.home, self.notes, next(self._names), owed)

    def _forked(self, name: str, work: Callable[[], object]) -> int:
        process = os.fork()
        if process == 0:
            try:
                work()
                os._exit(0)
            except BaseException:
                with (self.notes / "failed").open("a") as file:
                    file.write(f"{name}: {traceback.format_exc()}\n")
            os._exit(1)
        return process


def main(home: Path, notes: Path, rows: int, seed: int, *, with_build: bool) -> None:
    chance = random.Random(seed)
    # What recording needs is loaded once, and not by every process in its short life.
    CostTracker(home).close()
    crew = Crew(Home(home), notes, chance, with_build=with_build)
    crew.read()
    try:
        seen = kill_at = 0
        while seen < rows or crew.done < rows // ROWS_A_COMMAND:
            crew.man()
            time.sleep(chance.uniform(0.002, 0.05))
            crew.watch()
            seen = sum(path.stat().st_size for path in notes.glob("of-*")) // len(NOTE % 0)
            crew.pause_writers(pausing=seen > (crew.done + 2) * ROWS_A_COMMAND)
            # By what was done, not by the clock: on a busy machine no command would live to its end.
            if seen + crew.done * ROWS_A_COMMAND > kill_at:
                crew.kill_one()
                kill_at = seen + crew.done * ROWS_A_COMMAND + chance.randint(100, 800)
            if seen > rows // 2:
                (home / "prices.toml").write_text(PRICES)
    finally:
        crew.end()
    (notes / "kills").write_text(str(crew.kills))


def note_of(notes: Path, writer: int) -> Path:
    return notes / f"of-{writer}"


def acknowledged(notes: Path, writer: int) -> list[int]:
    """What the writer noted, without a note that it was killed in."""
    with suppress(FileNotFoundError):
        content = note_of(notes, writer).read_bytes()
        return [int(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
    return []


def _sync(note: Path) -> None:
    with suppress(FileNotFoundError), note.open("rb") as file:
        os.fdatasync(file.fileno())


def _failure(notes: Path) -> str:
    failed = notes / "failed"
    return failed.read_text() if failed.exists() else "nothing was said"


def _write(home: Home, notes: Path, writer: int) -> None:
    chance = random.Random(writer)
    durability = chance.choice(("process", "interval", "interval", "always"))
    tracker = CostTracker(home.root, durability=durability, on_unknown_model="record")
    note = os.open(note_of(notes, writer), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    numbers = count(writer * EACH)
    for number in numbers:
        if number % 20 == 0:
            time.sleep(chance.uniform(0, 0.02))  # nobody records without a pause, and the others want to work too
        if number % 100 == 99:
            _refuse(tracker, notes, writer)
        if number % 500 < BATCH:
            batch = [number, *(next(numbers) for _ in range(BATCH - 1))]
            tracker.record_many([arguments_of(each) for each in batch])
            os.write(note, b"".join(NOTE % each for each in batch))
            continue
        if is_streamed(number):
            tracker.record(**arguments_of(number, partial=True))
        tracker.record(**arguments_of(number))
        os.write(note, NOTE % number)


def _refuse(tracker: CostTracker, notes: Path, writer: int) -> None:
    with suppress(ResponseError):
        tracker.record(**arguments_of(writer * EACH) | {"llm_response": {"id": "refused"}}, provider="openai")
        raise AssertionError("it was taken")
    with (notes / "refused").open("a") as file:
        file.write(".")


def _verify(home: Home) -> None:
    report = verify(home)
    assert report.clean, report.problems


def _erase(home: Home, writer: int) -> None:
    report = erase(home, Person(writer_of(writer * EACH)))
    assert report.before == report.after, report
    assert not report.left, report.left


def _back_up(home: Home, notes: Path, name: int, owed: dict[int, int]) -> None:
    target = notes / f"backup-{name}"
    backup(home, target)
    (notes / f"backup-{name}.json").write_text(json.dumps(owed))


def backups(notes: Path) -> Iterator[tuple[Path, list[int]]]:
    """Each backup that was done, and what is owed of it."""
    for told in sorted(notes.glob("backup-*.json")):
        counts = json.loads(told.read_text())
        yield (
            told.with_suffix(""),
            [number for writer, most in counts.items() for number in acknowledged(notes, int(writer))[:most]],
        )


def _read(home: Path, notes: Path) -> None:
    """What was seen stays, whatever works on it, until retention takes it; and counts once."""
    known: set[int] = set()
    while True:
        calls = standing(home)
        twice = {number: call for number, call in calls.items() if call.times != 1}
        assert not twice, f"counted otherwise than once: {twice}"
        gone = known - calls.keys()
        assert not gone, f"{len(gone)} rows are gone, {min(gone)} first"
        known = {number for number in calls if not is_old(number)}
        with (notes / "reads").open("a") as file:
            file.write(".")
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), with_build=sys.argv[5:] == ["build"])
