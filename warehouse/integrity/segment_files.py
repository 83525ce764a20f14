"""Whether the files of live segments are there and as they were sealed, for whoever is about to read them."""

from collections.abc import Collection
from datetime import date
from pathlib import Path

from tracking.home import Home
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.segments import sha256_of


def missing_or_cut_files(home: Home) -> list[str]:
    """What is wrong with the files of live segments as far as their sizes tell: nothing is read. One line each."""
    return [problem for segment in _live_segments(home) if (problem := _problem_of_size(home, segment))]


def files_not_as_sealed(home: Home, days: Collection[date]) -> list[str]:
    """The files of these days (UTC), below `usage/`, of which a byte changed, or that are gone. It reads them all."""
    return [
        segment.file
        for segment in _live_segments(home)
        if segment.usage_date in days and not _is_as_sealed(home.usage / segment.file, segment)
    ]


def _live_segments(home: Home) -> list[Segment]:
    with Manifest(home) as manifest:
        return manifest.segments()


def _problem_of_size(home: Home, segment: Segment) -> str | None:
    try:
        size = (home.usage / segment.file).stat().st_size
    except FileNotFoundError:
        return f"{segment.file} is missing"
    return None if size == segment.bytes else f"{segment.file} has {size} bytes, the manifest says {segment.bytes}"


def _is_as_sealed(path: Path, segment: Segment) -> bool:
    try:
        return sha256_of(path) == segment.sha256
    except FileNotFoundError:
        return False
