"""Rounds of eight writers, a sealer and a reader, every one of them killed at random; run as a process of its own.

The parent records too, and half of the writers inherit its tracker. A writer notes each number after `record()`
returned; the reader notes what is wrong with what it reads.
"""

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import books

from tracking import CostTracker
from tracking.home import Home
from warehouse.ledger.manifest import Manifest
from warehouse.sealing.seal import seal

WRITERS = 8


def main(home: Path, notes: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    with CostTracker(home) as inherited:
        reader = _forked(lambda: _read(home, notes))
        for number in range(rounds):
            _record(inherited, books.Call("parent", number), notes)
            own = partial(CostTracker, home, durability=chance.choice(("process", "interval", "always")))
            make = own if number % 2 else lambda: inherited
            writers = [_forked(partial(_write, make, f"writer-{number}-{each}", notes)) for each in range(WRITERS)]
            sealer = _forked(lambda: _seal(home))
            _wait_for_rows(notes, number, chance.randint(5, 60))
            _kill([sealer])
            sealer = _forked(lambda: _seal(home))
            time.sleep(chance.uniform(0.0, 0.04))
            doomed = [*writers, sealer]
            chance.shuffle(doomed)
            _kill(doomed)
        while not _are_enough_reads(notes):
            time.sleep(0.01)
        _kill([reader])


def _wait_for_rows(notes: Path, round_number: int, rows: int) -> None:
    """By what was done, not by the clock: on a busy machine nobody would have recorded anything."""
    while sum(note.read_bytes().count(b"\n") for note in notes.glob(f"of-writer-{round_number}-*")) < rows:
        time.sleep(0.002)


def _are_enough_reads(notes: Path) -> bool:
    reads = notes / "reads"
    return (reads.exists() and reads.stat().st_size > 1) or (notes / "reader-failed").exists()


def _forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    return child


def _kill(children: list[int]) -> None:
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        status = os.waitpid(child, 0)[1]
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, f"a child ended by itself: {status}"


def _write(make: Callable[[], CostTracker], name: str, notes: Path) -> None:
    tracker = make()
    for number in count():
        _record(tracker, books.Call(name, number), notes)


def _record(tracker: CostTracker, call: books.Call, notes: Path) -> None:
    books.record(tracker, call)
    noted = os.open(notes / f"of-{call.writer}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(noted, b"%d\n" % call.number)
    os.close(noted)


def _seal(home: Path) -> None:
    while True:
        seal(Home(home))


def _read(home: Path, notes: Path) -> None:
    known: set[books.Seen] = set()
    while True:
        try:
            with Manifest(Home(home)) as manifest:
                expected = sum(segment.row_count for segment in manifest.segments())
            rows = books.visible(home)
            if rows.total() < expected or len(rows) != rows.total() or not known <= rows.keys():
                raise AssertionError(
                    f"{expected} rows were live, {rows.total()} are read, {len(rows)} of them different"
                )
            known = set(rows)
            with (notes / "reads").open("a") as file:
                file.write(".")
        except Exception:
            with (notes / "reader-failed").open("a") as file:
                traceback.print_exc(file=file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
