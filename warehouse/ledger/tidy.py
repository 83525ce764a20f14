"""Files that nothing needs any more: of segments that were replaced, and what a crash left behind.

A replaced file goes when no published warehouse has named it for GRACE: whoever opened an earlier one may still be
reading it. What a crash left goes only where everything in it is known to stand elsewhere; anything else in `usage/`
and `prompts/` stays, for `llm-cost verify` to name.
"""

import shutil
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import duckdb

from tracking.durable_files import sync_directory
from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.ledger.footer import Provenance
from warehouse.ledger.manifest import Manifest, Retired, Segment
from warehouse.ledger.published_segments import published_segments, segments_named_in
from warehouse.ledger.rewrite import SPILL_PREFIX
from warehouse.ledger.segment_names import (
    ByteRange,
    day_folders,
    is_rewritten,
    segment_file_of,
    segment_paths,
)
from warehouse.locks import sealing

GRACE = timedelta(minutes=15)


def tidy(home: Home, grace: timedelta = GRACE) -> int:
    """Delete what nothing needs any more; returns how many pairs of replaced files. Repeating it changes nothing.

    Call it while holding the build lock, after publishing: no build may be about to publish an older list of files.

    Raises:
        LedgerError: a file cannot be read or removed; everything that is live stays.
    """
    try:
        with sealing(home), Manifest(home) as manifest:
            remove_leftovers(home, manifest)
            published = published_segments(home)
            if published is not None:
                # The build file can still be published.
                named = published | segments_named_in(home.build_database)
                manifest.note_unpublished(files for files in manifest.retired() if files.file not in named)
            latest = datetime.now(UTC) - grace
            deletable = [
                files for files in manifest.retired() if files.unpublished_at and files.unpublished_at <= latest
            ]
            delete_retired(home, manifest, deletable)
            _drop_rowless(home, manifest)
        _remove_temporaries(home)
    except (OSError, duckdb.Error) as error:
        raise LedgerError(f"tidying up {home.root} failed: {error}") from error
    return len(deletable)


def delete_retired(home: Home, manifest: Manifest, retired: Iterable[Retired]) -> None:
    """Delete replaced files, then forget them. Call it while holding the sealing lock."""
    retired = list(retired)
    for files in retired:
        _unlink_pair(home, files.file)
    manifest.forget_retired(retired)


def remove_leftovers(home: Home, manifest: Manifest, day: date | None = None) -> None:
    """Remove what a crash of a sealing, a compaction, a retention or an erasure left, of one day or of every day.

    Call it while holding the sealing lock, and before segments are swapped: one that was written but never became live
    holds the same rows as those that are live still.
    """
    live = {segment.file: segment for segment in manifest.segments()}
    waiting = {files.file for files in manifest.retired()}
    for folder in (home.usage, home.prompts):
        for file in segment_paths(folder, day):
            name = segment_file_of(file)
            if name in live:
                # Retention took its prompts, and a crash came before the file was gone.
                needed = folder == home.usage or live[name].prompts
            else:
                needed = name in waiting or not stands_elsewhere(home, manifest, name, {*live, *waiting})
            if not needed:
                file.unlink()
        for of_day in day_folders(folder, day):
            for file in of_day.glob(".*.tmp"):
                file.unlink()
    for file in home.journal.glob(".*.tmp"):
        file.unlink()  # of corrections that were to be sealed under this same lock
    for folder in home.root.glob(f"{SPILL_PREFIX}*.tmp"):
        shutil.rmtree(folder)


def stands_elsewhere(home: Home, manifest: Manifest, name: str, manifest_files: set[str]) -> bool:
    """Whether all that a file nobody speaks of holds is in live segments, or in a journal that is to be sealed."""
    usage = home.usage / name
    if usage.exists():
        try:
            provenance = Provenance.read(usage)
        except LedgerError:
            return False
        if provenance is None:
            return False
        if provenance.journal is None:
            return all(file in manifest_files and (home.usage / file).exists() for file in provenance.replaces)
        byte_ranges = provenance.byte_ranges
    else:
        # Prompts are written before the rows they belong to.
        if is_rewritten(usage.stem):
            return True
        byte_range = ByteRange.named(usage.stem)
        byte_ranges = () if byte_range is None else (byte_range,)
    return bool(byte_ranges) and all(_is_sealed_or_waits(home, manifest, byte_range) for byte_range in byte_ranges)


def _is_sealed_or_waits(home: Home, manifest: Manifest, byte_range: ByteRange) -> bool:
    journal = home.journal / byte_range.journal
    return manifest.sealed_bytes(byte_range.journal) >= byte_range.end or (
        journal.exists() and journal.stat().st_size >= byte_range.end
    )


def _drop_rowless(home: Home, manifest: Manifest) -> None:
    """Segments without rows have done their work when neither old files nor journals could bring the rows back."""
    waiting = {files.usage_date for files in manifest.retired()}
    for segment in manifest.segments():
        if segment.row_count == 0 and segment.usage_date not in waiting and not _journals(home, segment):
            manifest.swap([segment], [])
            delete_retired(home, manifest, [files for files in manifest.retired() if files.file == segment.file])


def _journals(home: Home, segment: Segment) -> bool:
    provenance = Provenance.read(home.usage / segment.file)
    return provenance is not None and any(
        (home.journal / byte_range.journal).exists() for byte_range in provenance.byte_ranges
    )


def _unlink_pair(home: Home, file: str) -> None:
    for path in (home.prompts / file, home.usage / file):
        path.unlink(missing_ok=True)
        if path.parent.exists():
            sync_directory(path.parent)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def _remove_temporaries(home: Home) -> None:
    """Of files that were to be replaced whole when their writer was killed. A younger one may be a living writer's."""
    latest = time.time() - GRACE.total_seconds()
    for folder in (home.root, home.prices, home.keys, home.quarantine, home.dbt):
        for file in folder.glob(".*.tmp*"):
            if file.is_file() and file.stat().st_mtime < latest:
                file.unlink(missing_ok=True)
