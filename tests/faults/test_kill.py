"""`kill -9` at any moment: what `record()` returned for is there once, and nothing that was not attempted."""

import subprocess
import sys
from pathlib import Path

from books import LONG, Call, Tally, sealed_and_visible
from killed_processes import WRITERS

ROUNDS = 10
HOMES = 52 if LONG else 1


def test_kill_9_of_eight_writers_and_a_sealer_while_a_reader_reads(tmp_path: Path, tally: Tally) -> None:
    """A `record_id` seen by the reader stays, counts once, and a reader never fails (I6)."""
    reads = 0
    for seed in range(HOMES):
        home, notes = tmp_path / f"home-{seed}", tmp_path / f"notes-{seed}"
        notes.mkdir()
        script = Path(__file__).with_name("killed_processes.py")
        done = subprocess.run(
            [sys.executable, str(script), str(home), str(notes), str(ROUNDS), str(seed)],
            capture_output=True,
            text=True,
            timeout=1500,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert not (notes / "reader-failed").exists(), (notes / "reader-failed").read_text()
        reads += (notes / "reads").stat().st_size
        acknowledged, attempted = set[Call](), set[Call]()
        for writer in ("parent", *(f"writer-{number}-{each}" for number in range(ROUNDS) for each in range(WRITERS))):
            note = notes / f"of-{writer}"
            numbers = [int(number) for number in note.read_text().split()] if note.exists() else []
            assert numbers == list(range(len(numbers)))
            acknowledged |= {Call(writer, number) for number in numbers}
            attempted.add(Call(writer, len(numbers)))
        tally.count(sealed_and_visible(home), acknowledged, attempted)
    tally.trials = HOMES * ROUNDS
    assert tally.acknowledged >= 5 * tally.trials
    assert reads > HOMES
