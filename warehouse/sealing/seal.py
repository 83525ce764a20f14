"""The sealer: turns complete journal lines into segments and makes them live in one transaction."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tracking.durable_files import replace_file
from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.causes import disk_problem, in_one_line
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.quarantine import entry_of
from warehouse.ledger.segments import scan, write_segments
from warehouse.locks import sealing
from warehouse.sealing.row_prices import keep_missing_prices
from warehouse.sealing.sealed_ids import SealedIds
from warehouse.sealing.settle import settle
from warehouse.sealing.unsealed import UnsealedBatch, unsealed_batches

DECIDED = "decided-"
"""How the names of journals begin whose rows were decided against what was sealed then, under the sealer's lock. They
are sealed before any other: a crash may have come in between, but nothing else."""

CHUNK_BYTES = 22 * 1024 * 1024
"""A full journal is three of these. The allocator hands blocks over 32 MiB back each time, which costs a tenth."""


@dataclass(slots=True)
class SealReport:
    """What one sealing did. Rows are rows of the ledger; lines are lines of journals."""

    rows: int = 0
    duplicates: int = 0
    superseded: int = 0
    conflicts: int = 0
    quarantined: int = 0
    segments: int = 0


def seal(home: Home, progress: Callable[[int], None] | None = None) -> SealReport:
    """Seal every complete line of every journal, those of living writers too. Repeating it changes nothing.

    `progress` is told the bytes done since it was told last. Memory is bounded, however much there is to seal.

    Raises:
        LedgerError: there is no ledger, or one of its files cannot be used; what was sealed before stays sealed.
    """
    with sealer_of(home) as sealer:
        return sealer.seal_all(progress)


@contextmanager
def sealer_of(home: Home) -> Generator["Sealer", None, None]:
    """The sealer of one home, which has its lock: for as long as it is held nobody else seals, or changes a segment.

    Raises:
        LedgerError: as `seal`, also in place of what is raised within by a disk or by a segment.
    """
    home.settings()  # a mistyped home is refused, not made
    home.open()
    try:
        with sealing(home), Manifest(home) as manifest:
            yield Sealer(home, manifest)
    except OSError as error:
        raise LedgerError(f"sealing {error.filename or home.root} failed: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        what = ", a segment cannot be read" if disk_problem(error) is None else ""
        raise LedgerError(f"sealing {home.root} failed{what}: {in_one_line(error)}") from error


class Sealer:
    """One sealing of one home, by whoever holds its lock."""

    def __init__(self, home: Home, manifest: Manifest) -> None:
        self._home = home
        self.manifest = manifest
        self._report = SealReport()

    def seal_all(self, progress: Callable[[int], None] | None = None) -> SealReport:
        """Seal what is recorded by now."""
        return self.seal_journals(sorted(self._home.journals(), key=_order_of_sealing), progress)

    def seal_journals(self, paths: Iterable[Path], progress: Callable[[int], None] | None = None) -> SealReport:
        """Seal these journals and no other."""
        journals = [(path, self.manifest.sealed_bytes(path.name)) for path in paths]
        ids = SealedIds(self._home)
        superseded = self.manifest.superseded()
        with unsealed_batches(journals, CHUNK_BYTES) as batches:
            for item in batches:
                if isinstance(item, UnsealedBatch):
                    if not ids.opened:
                        ids.open(self.manifest.segments())
                    self._seal_batch(item, ids, superseded)
                    if progress:
                        progress(len(item.chunk))
                else:
                    item.finish()
        ids.save()
        return self._report

    def _seal_batch(self, batch: UnsealedBatch, ids: SealedIds, superseded: set[str]) -> None:
        files = ids.files_that_may_hold(batch.rows)
        sealed = scan(self._home.usage / file for file in files) if files else None
        outcome = settle(batch.rows, sealed, superseded)
        if batch.bad:
            _keep_bad_lines(self._home, batch)
        keep_missing_prices(self._home, outcome.rows)
        segments = write_segments(
            self._home,
            outcome.rows,
            batch.byte_range,
            superseded=outcome.superseded,
            conflicts=outcome.conflicts,
        )
        self.manifest.commit_seal(batch.byte_range, segments, batch.bad, outcome.conflicts, outcome.superseded)
        ids.add(outcome.rows, segments)
        superseded |= outcome.superseded
        self._report.rows += outcome.rows.height
        self._report.duplicates += outcome.duplicates
        self._report.superseded += len(outcome.superseded)
        self._report.conflicts += len(outcome.conflicts)
        self._report.quarantined += len(batch.bad)
        self._report.segments += len(segments)


def _order_of_sealing(journal: Path) -> tuple[bool, str]:
    return not journal.name.startswith(DECIDED), journal.name


def _keep_bad_lines(home: Home, batch: UnsealedBatch) -> None:
    start = batch.byte_range.start
    entries = [entry_of(line, batch.chunk[line.start - start :][: line.length]) for line in batch.bad]
    replace_file(home.quarantine / f"{batch.byte_range.name}.jsonl", b"".join(entries))
