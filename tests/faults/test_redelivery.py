"""The same calls delivered again: by other processes, by a journal that came back, by a sealer that crashed."""

import shutil
from pathlib import Path

from books import LONG, Tally, calls, record, record_all, sealed_and_visible

from tracking import CostTracker


def test_journals_that_come_back_with_calls_nobody_can_tell_apart(tmp_path: Path, tally: Tally) -> None:
    """Such a row has an id of its own, made when it was recorded. It may stand in two journals: after a failed sync the
    writer writes it anew."""
    home, kept = tmp_path / "home", tmp_path / "kept"
    recorded = calls("nameless", 20)
    for trial in range(20 if LONG else 4):
        shutil.rmtree(home, ignore_errors=True)
        with CostTracker(home) as tracker:
            for call in recorded:
                record(tracker, call, without_id=True)
        shutil.copytree(home / "journal", kept, dirs_exist_ok=True)
        if trial % 2:
            sealed_and_visible(home)
        for journal in kept.iterdir():
            shutil.copy(journal, home / "journal" / f"again-{journal.name}")
        shutil.rmtree(kept)
        tally.count(sealed_and_visible(home), recorded)


def test_calls_delivered_again_and_again(tmp_path: Path, tally: Tally) -> None:
    home, kept = tmp_path / "home", tmp_path / "kept"
    recorded = calls("writer", 100)
    for trial in range(40 if LONG else 6):
        # Retried by the application: part of it, by another process, in another order.
        record_all(home, recorded[trial % 7 :: 3][::-1] + recorded[:5])
        shutil.copytree(home / "journal", kept, dirs_exist_ok=True)
        if trial % 2:
            sealed_and_visible(home)
        # Journals restored from a backup, under their own name and under another one.
        for journal in sorted(kept.iterdir())[-3:]:
            shutil.copy(journal, home / "journal" / journal.name)
            shutil.copy(journal, home / "journal" / f"again-{trial}-{journal.name}")
        delivered = {number for each in range(trial + 1) for number in [*range(100)[each % 7 :: 3], *range(5)]}
        tally.count(sealed_and_visible(home), [recorded[number] for number in delivered])
