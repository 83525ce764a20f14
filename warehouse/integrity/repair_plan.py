"""Which segments on disk are live, told from the segments alone; their footers are `warehouse.ledger.footer`'s.

Nothing here changes anything.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.ledger.footer import Provenance
from warehouse.ledger.manifest import Segment
from warehouse.ledger.schema import PROMPT_SCHEMA
from warehouse.ledger.segment_names import ByteRange, day_of, segment_file, segment_file_of, segment_paths
from warehouse.ledger.segments import TOTALS, exact_totals, scan, sha256_of
from warehouse.sealing.id_runs import Hashes
from warehouse.sealing.sealed_ids import hashed


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """A file of segments that cannot be what was written, and why."""

    path: Path
    reason: str


@dataclass(slots=True)
class Plan:
    """What is live, and what becomes of every other file."""

    live: list[tuple[Segment, Provenance]] = field(default_factory=list[tuple[Segment, Provenance]])
    replaced_segments: list[Segment] = field(default_factory=list[Segment])
    """Others hold their rows; readers of the published reports may still have them open."""
    unfinished: list[Segment] = field(default_factory=list[Segment])
    """Of a seal that a crash ended: the rows are still in their journals."""
    leftovers: list[Segment] = field(default_factory=list[Segment])
    """Every row of them is in live segments too."""
    damaged_files: list[DamagedFile] = field(default_factory=list[DamagedFile])
    sealed_ends: dict[str, int] = field(default_factory=dict[str, int])
    """To which byte each journal is sealed."""


@dataclass(frozen=True, slots=True)
class _OnDisk:
    segment: Segment
    provenance: Provenance
    records: Hashes


def plan_repair(home: Home, sums: Mapping[str, Set[str]], progress: Callable[[int], None]) -> Plan:
    """Tell what is live. `sums` are the SHA-256 that anything else remembers of files below `usage/`."""
    repair = Plan()
    on_disk: dict[str, _OnDisk] = {}
    for path in segment_paths(home.usage):
        progress(path.stat().st_size)
        try:
            entry = _read(home, path, sums, repair)
        except (LedgerError, OSError, ValueError, pl.exceptions.PolarsError) as error:
            repair.damaged_files.append(DamagedFile(path, str(error).splitlines()[0]))
        else:
            on_disk[entry.segment.file] = entry
    _drop_replaced(on_disk, repair)
    _drop_unfinished(home, on_disk, repair)
    _drop_leftovers(home, on_disk, repair)
    repair.live = [(entry.segment, entry.provenance) for entry in on_disk.values()]
    _tell_how_far_sealed(home, repair)
    return repair


def _read(home: Home, path: Path, sums: Mapping[str, Set[str]], repair: Plan) -> _OnDisk:
    day, name = day_of(path.parent), path.stem
    sha256 = sha256_of(path)
    file = segment_file(day, name)
    if file in sums and not any(_is_nearly(sha256, remembered) for remembered in sums[file]):
        raise LedgerError(f"its sha256 is {sha256}, expected {' or '.join(sorted(sums[file]))}")
    rows = scan(path).collect()
    if (rows["usage_date"] != day).any():
        raise LedgerError(f"it holds rows of other days than {day}")
    provenance = Provenance.read(path) or _named_provenance(name)
    prompts_sha256, prompts = _read_prompts(home, file, repair)
    segment = Segment(
        name=name,
        usage_date=day,
        **exact_totals(rows.select(**TOTALS).row(0, named=True)),
        bytes=path.stat().st_size,
        sha256=sha256,
        prompts=prompts,
        prompts_sha256=prompts_sha256,
        journal=provenance.journal,
        journal_start=provenance.journal_start,
        journal_end=provenance.journal_end,
    )
    return _OnDisk(segment, provenance, hashed(rows["record_id"]))


def _is_nearly(sha256: str, remembered: str) -> bool:
    """The sums of two different files have nothing in common; nearly the same one was damaged itself."""
    return sum(digit != other for digit, other in zip(sha256, remembered, strict=False)) < len(sha256) // 4


def _read_prompts(home: Home, file: str, repair: Plan) -> tuple[str | None, int]:
    path = home.prompts / file
    if not path.exists():
        return None, 0
    try:
        prompts = scan(path, PROMPT_SCHEMA).collect().height
    except (OSError, pl.exceptions.PolarsError) as error:
        repair.damaged_files.append(DamagedFile(path, str(error).splitlines()[0]))
        return None, 0
    return sha256_of(path), prompts


def _named_provenance(name: str) -> Provenance:
    """Of a segment that an earlier version wrote without a footer: its name says which byte range it is."""
    byte_range = ByteRange.named(name)
    return Provenance() if byte_range is None else Provenance(byte_range.journal, byte_range.start, byte_range.end)


def _drop_replaced(on_disk: dict[str, _OnDisk], repair: Plan) -> None:
    replaced = {file for each in on_disk.values() for file in each.provenance.replaces}
    repair.replaced_segments = [on_disk.pop(file).segment for file in sorted(replaced & on_disk.keys())]


def _drop_unfinished(home: Home, on_disk: dict[str, _OnDisk], repair: Plan) -> None:
    """Where a journal still exists, a byte range counts only with the segments of all its days."""
    replaced_files = {segment.file for segment in repair.replaced_segments}
    replaced_files |= {file for each in on_disk.values() for file in each.provenance.replaces}
    ranges_of_day: defaultdict[date, list[ByteRange]] = defaultdict(list)
    for each in on_disk.values():
        ranges_of_day[each.segment.usage_date] += each.provenance.byte_ranges
    # One that was damaged was finished all the same: the others of its byte range are what is left of it.
    damaged_files = {segment_file_of(damage.path) for damage in repair.damaged_files}
    for file, each in list(on_disk.items()):
        for byte_range in each.provenance.byte_ranges if each.provenance.journal else ():
            missing = [
                day
                for day in each.provenance.days
                if (other := segment_file(day, byte_range.name)) not in on_disk
                and other not in replaced_files
                and other not in damaged_files
                and not any(other_range.contains(byte_range) for other_range in ranges_of_day[day])
            ]
            if missing and (home.journal / byte_range.journal).exists():
                repair.unfinished.append(on_disk.pop(file).segment)


def _drop_leftovers(home: Home, on_disk: dict[str, _OnDisk], repair: Plan) -> None:
    """Of a crash before the commit: sealing made a longer byte range afterwards, whose segments hold the same rows."""
    every = np.sort(np.concatenate([np.zeros(0, np.uint64), *(each.records for each in on_disk.values())]))
    doubled = np.unique(every[1:][every[1:] == every[:-1]])
    superseded = {file: hashed(_texts(each.provenance.superseded)) for file, each in on_disk.items()}
    suspicious = np.unique(np.concatenate([doubled, *superseded.values()]))
    suspects = [each for each in on_disk.values() if np.isin(each.records, suspicious).any()]
    holders = Counter(record for each in suspects for record in each.records.tolist())
    speakers: defaultdict[int, set[str]] = defaultdict(set)
    for file, records in superseded.items():
        for record in records.tolist():
            speakers[record].add(file)
    for each in sorted(suspects, key=_reach):
        file = each.segment.file
        if all(holders[record] > 1 or speakers[record] - {file} for record in each.records.tolist()):
            repair.leftovers.append(on_disk.pop(file).segment)
            holders.subtract(each.records.tolist())
    for each in sorted(suspects, key=_reach):
        again = sum(holders[record] > 1 for record in each.records.tolist())
        if again and on_disk.pop(each.segment.file, None):
            holders.subtract(each.records.tolist())
            path = home.usage / each.segment.file
            repair.damaged_files.append(DamagedFile(path, f"{again} of its records are in other segments too"))


def _reach(each: _OnDisk) -> tuple[bool, int]:
    """Shorter byte ranges first, and what was made of others last."""
    segment = each.segment
    return segment.journal is None, (segment.journal_end or 0) - (segment.journal_start or 0)


def _tell_how_far_sealed(home: Home, repair: Plan) -> None:
    for _, provenance in repair.live:
        for byte_range in provenance.byte_ranges:
            repair.sealed_ends[byte_range.journal] = max(repair.sealed_ends.get(byte_range.journal, 0), byte_range.end)
    # What is still in a journal is sealed again; of the rows behind it none counts twice.
    again = [
        ByteRange.named(damage.path.stem) for damage in repair.damaged_files if damage.path.is_relative_to(home.usage)
    ]
    again += [ByteRange.named(segment.name) for segment in repair.unfinished]
    for byte_range in again:
        if byte_range is not None and (home.journal / byte_range.journal).exists():
            repair.sealed_ends[byte_range.journal] = min(
                repair.sealed_ends.get(byte_range.journal, 0), byte_range.start
            )


def _texts(texts: Iterable[str]) -> pl.Series:
    return pl.Series(list(texts), dtype=pl.String)
