"""Which live segments may hold a record or an event, told without reading them.

A record counts once in the whole ledger, so each new one is looked up among all that are sealed. For that, `ids/` keeps
64 bits of every `record_id` and `event_key` in sorted runs, memory-mapped, each with the segment it stands for.
Small runs are merged into larger ones, so that there are never many. What a run says is only a hint, checked against
the segment itself; and all of it is derived: what is missing is made anew from the segments.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from math import log

import numpy as np
import polars as pl

from tracking.durable_files import make_directory
from tracking.home import Home
from warehouse.ledger.manifest import Segment
from warehouse.ledger.segments import scan
from warehouse.sealing.id_runs import Hashes, Holder, Run, merged, read_run, run_of, write_run

FAN_IN = 8
"""As many runs of about one size are merged into one."""
LARGEST_RUN = 8_000_000
"""Ids. Runs of this size are merged no further: merging takes a second and 300 MB at most."""
UNSAVED = 2_000_000
"""Ids. So many are kept in memory before they are saved."""


class SealedIds:
    """The ids of one home's live segments. Only the sealer uses it, under its lock."""

    def __init__(self, home: Home) -> None:
        self._usage = home.usage
        self._directory = home.ids
        self._live: set[Holder] = set()
        self._runs: list[Run] = []
        self._unsaved: list[Run] = []
        self.opened = False

    def open(self, live: Iterable[Segment]) -> None:
        """Take the runs on disk as far as they speak of live segments, and read the other segments' ids."""
        make_directory(self._directory)
        self._live = {(segment.file, segment.sha256) for segment in live}
        self.opened = True
        unknown = set(self._live)
        found = [(path, read_run(path)) for path in self._directory.glob("*.ids")]
        for path, run in sorted(found, key=lambda each: -(each[1].size if each[1] else 0)):
            if run is None or unknown.isdisjoint(run.holders):
                path.unlink()
            else:
                unknown.difference_update(run.holders)
                self._runs.append(run)
        for holder in sorted(unknown):
            ids = scan(self._usage / holder[0]).select("record_id", "event_key").collect()
            self._keep(run_of(holder, hashes_of(ids)))

    def files_that_may_hold(self, rows: pl.DataFrame) -> list[str]:
        """The files, below `usage/`, of the live segments with any of the rows' records or events."""
        wanted = hashes_of(rows)
        holders = {holder for run in (*self._runs, *self._unsaved) for holder in run.holders_of(wanted)}
        return sorted(file for file, _ in holders & self._live)

    def add(self, rows: pl.DataFrame, segments: Iterable[Segment]) -> None:
        """Remember the rows that were just sealed, one segment a day."""
        for segment in segments:
            holder = (segment.file, segment.sha256)
            self._live.add(holder)
            self._keep(run_of(holder, hashes_of(rows.filter(pl.col("usage_date") == segment.usage_date))))

    def _keep(self, run: Run) -> None:
        self._unsaved.append(run)
        if sum(run.size for run in self._unsaved) >= UNSAVED:
            self.save()

    def save(self) -> None:
        """Put on disk what is new, and merge runs where there are many of about one size or where most is dead."""
        if self._unsaved:
            self._replace(self._unsaved)
            self._unsaved = []
        for run in [run for run in self._runs if run.size > 2 * run.live_size(self._live)]:
            self._replace([run])
        by_level: defaultdict[int, list[Run]] = defaultdict(list)
        for run in self._runs:
            by_level[int(log(max(run.size, 1), FAN_IN))].append(run)
        for runs in by_level.values():
            if len(runs) >= FAN_IN and max(run.size for run in runs) < LARGEST_RUN:
                self._replace(runs)

    def _replace(self, runs: list[Run]) -> None:
        self._runs.append(write_run(self._directory, merged(runs, self._live)))
        for run in runs:
            if run.path is not None:
                self._runs.remove(run)
                run.path.unlink()


def hashes_of(rows: pl.DataFrame) -> Hashes:
    """64 bits of every record's and event's id, sorted, each once."""
    together = np.sort(np.concatenate([hashed(rows["record_id"]), hashed(rows["event_key"].drop_nulls())]))
    return together[np.diff(together, prepend=~together[:1]) != 0]


def hashed(ids: pl.Series) -> Hashes:
    """64 bits of each id: ids are digests and UUIDs, whose last 16 digits are as good as a hash of them."""
    digits = ids.str.replace_all("-", "", literal=True).str.slice(-16)
    hashes = digits.str.decode("hex", strict=False).bin.reinterpret(dtype=pl.UInt64, endianness="big")
    if hashes.null_count():
        others = ids.filter(hashes.is_null()).map_elements(_hash_of_text, return_dtype=pl.UInt64)
        hashes = hashes.scatter(hashes.is_null().arg_true(), others)
    known: Hashes = hashes.to_numpy()
    return known


def _hash_of_text(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
