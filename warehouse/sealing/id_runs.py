"""One run of ids: sorted 64-bit hashes, and for each which segment holds it; in memory or mapped from a file.

A file is a JSON line, padded to whole 8 bytes, then the hashes (8 bytes each, little-endian) and for each the place of
its segment in the line's list (4 bytes).
"""

import json
import secrets
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tracking.durable_files import replacing

VERSION = 1

Holder = tuple[str, str]
"""A segment: its file below `usage/`, and that file's SHA-256."""
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Sorted hashes, and for each the place of its segment in `holders`; `counts` says how many each segment has."""

    holders: tuple[Holder, ...]
    counts: tuple[int, ...]
    hashes: Hashes
    places: NDArray[np.uint32]
    path: Path | None = None
    crc32: int | None = None

    @property
    def size(self) -> int:
        return len(self.hashes)

    @property
    def segments(self) -> list[tuple[str, str, int]]:
        """Each segment's file, SHA-256 and number of hashes."""
        return [(*holder, count) for holder, count in zip(self.holders, self.counts, strict=True)]

    def live_size(self, live: Set[Holder]) -> int:
        """How many of its hashes stand for live segments."""
        return sum(count for file, sha256, count in self.segments if (file, sha256) in live)

    def holders_of(self, wanted: Hashes) -> set[Holder]:
        """The segments that have any of the wanted hashes."""
        if not self.size:
            return set()
        first = np.searchsorted(self.hashes, wanted)
        found = wanted[self.hashes[np.minimum(first, self.size - 1)] == wanted]
        starts, ends = np.searchsorted(self.hashes, found), np.searchsorted(self.hashes, found, "right")
        return {
            self.holders[place]
            for start, end in zip(starts, ends, strict=True)
            for place in self.places[start:end].tolist()
        }

    def is_intact(self) -> bool:
        """Whether the bytes of its file are as they were written."""
        return self.crc32 == _checksum(self)


def run_of(holder: Holder, hashes: Hashes) -> Run:
    """The run of one segment; `hashes` are sorted."""
    return Run((holder,), (len(hashes),), hashes, np.zeros(len(hashes), dtype=np.uint32))


def merged(runs: Iterable[Run], live: Set[Holder]) -> Run:
    """One run of what several say of live segments, each segment taken once."""
    index: dict[Holder, int] = {}
    counts: list[int] = []
    parts: list[tuple[Hashes, NDArray[np.uint32]]] = []
    for run in runs:
        moved = np.full(len(run.holders), -1, dtype=np.int64)
        for place, (holder, count) in enumerate(zip(run.holders, run.counts, strict=True)):
            if holder in live and holder not in index:
                moved[place] = index[holder] = len(index)
                counts.append(count)
        places = moved[run.places]
        kept = places >= 0
        parts.append((run.hashes[kept], places[kept].astype(np.uint32)))
    hashes = np.concatenate([hashes for hashes, _ in parts])
    order = np.argsort(hashes)
    return Run(tuple(index), tuple(counts), hashes[order], np.concatenate([places for _, places in parts])[order])


def write_run(directory: Path, run: Run) -> Run:
    """Put a run on disk durably, under a name of its own; returns it as mapped from there."""
    header = {
        "version": VERSION,
        "ids": run.size,
        "crc32": _checksum(run),
        "segments": run.segments,
    }
    line = json.dumps(header).encode()
    path = directory / f"{secrets.token_hex(16)}.ids"
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(line.ljust(-(-(len(line) + 1) // 8) * 8 - 1) + b"\n")
        file.write(run.hashes.astype("<u8").data)
        file.write(run.places.astype("<u4").data)
    written = read_run(path)
    if written is None:
        raise OSError(0, "cannot be read back", str(path))
    return written


def read_run(path: Path) -> Run | None:
    """A run mapped from its file; `None` where that is not whole, or of another version."""
    try:
        with path.open("rb") as file:
            line = file.readline()
        header = cast("dict[str, Any]", json.loads(line))
        size: int = header["ids"]
        if header["version"] != VERSION or path.stat().st_size != len(line) + size * 12:
            return None
        segments = [(str(file), str(sha256), int(count)) for file, sha256, count in header["segments"]]
        checksum = int(header["crc32"])
    except (ValueError, KeyError, TypeError):
        return None
    return Run(
        holders=tuple((file, sha256) for file, sha256, _ in segments),
        counts=tuple(count for _, _, count in segments),
        hashes=_mapped(path, "<u8", len(line), size),
        places=_mapped(path, "<u4", len(line) + size * 8, size),
        path=path,
        crc32=checksum,
    )


def _mapped(path: Path, kind: str, offset: int, size: int) -> NDArray[Any]:
    # An empty range cannot be mapped.
    return np.memmap(path, kind, "r", offset, (size,)) if size else np.zeros(0, kind)


def _checksum(run: Run) -> int:
    parts = (json.dumps(run.segments).encode(), run.hashes.astype("<u8").data, run.places.astype("<u4").data)
    return reduce(lambda checksum, part: crc32(part, checksum), parts, 0)
