"""Backup and restore: a consistent copy of everything that cannot be derived, made while writers go on.

A backup is a home itself: it can be verified and read where it lies. Restoring it is copying it again. What is derived
(reports, dbt's and Dagster's files, ids) is left out, and made anew by the next build.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path

from tracking.durable_files import PRIVATE_FILE, sync_directory
from tracking.errors import LedgerError
from tracking.home import Home
from tracking.money import EXACT
from warehouse.database import database_files
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.locks import sealing
from warehouse.sealing.seal import seal

BLOCK_BYTES = 1 << 20


@dataclass(slots=True)
class CopyReport:
    """What was copied: files, bytes, and what the manifest says of the segments among them. USD, exact."""

    files: int = 0
    bytes: int = 0
    segments: int = 0
    rows: int = 0
    cost_usd: Decimal = Decimal(0)


def backup(home: Home, target: Path, progress: Callable[[int], None] | None = None) -> CopyReport:
    """Copy a home to `target`, beside whoever writes to it: what was recorded before is in it, each record whole.

    `progress` is told the bytes copied since it was told last.

    Raises:
        LedgerError: the target is not empty or cannot be written, or a file of the home is damaged; then nothing
            is left there.
    """
    _refuse_unless_empty(home, target)
    seal(home)
    try:
        with sealing(home):
            # Opening it finishes what a crash left of its last transaction.
            with Manifest(home):
                pass
            return _copy(home, target, progress or (lambda _: None))
    except OSError as error:
        raise _failed("backing up to", target, error) from error


def restore(source: Path, home: Home, progress: Callable[[int], None] | None = None) -> CopyReport:
    """Copy a backup to where a home is to be; the backup stays as it is.

    Raises:
        LedgerError: there is no backup, the home is not empty or cannot be written, or a file of the backup is damaged;
            then nothing is left there.
    """
    backup = Home(source)
    backup.settings()
    if not backup.manifest.exists():
        raise LedgerError(f"{source} is no backup: manifest.sqlite is missing")
    _refuse_unless_empty(backup, home.root)
    try:
        return _copy(backup, home.root, progress or (lambda _: None))
    except OSError as error:
        raise _failed("restoring to", home.root, error) from error


def _failed(doing: str, target: Path, error: OSError) -> LedgerError:
    return LedgerError(f"{doing} {target} failed: {error.filename or target}: {error.strerror or error}")


def _refuse_unless_empty(source: Home, target: Path) -> None:
    target = target.expanduser().absolute()
    if target.is_relative_to(source.root) or source.root.is_relative_to(target):
        raise LedgerError(f"{target} and {source.root} lie within one another")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise LedgerError(f"{target} is not an empty folder: nothing was copied")


def _copy(source: Home, target: Path, progress: Callable[[int], None]) -> CopyReport:
    """Copy under a temporary name, which becomes `target` when everything is there and on the disk."""
    target = target.expanduser().absolute()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copying = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        report = _Copier(source, Home(copying), progress).copy_all()
        copying.replace(target)
        sync_directory(target.parent)
    except BaseException:
        shutil.rmtree(copying, ignore_errors=True)
        raise
    return report


class _Copier:
    def __init__(self, source: Home, target: Home, progress: Callable[[int], None]) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._report = CopyReport()

    def copy_all(self) -> CopyReport:
        self._copy_file(self._source.manifest)
        with Manifest(self._target) as manifest:
            segments = manifest.segments()
        for segment in segments:
            self._copy_segment(segment)
        for path in self._source.journals():
            self._copy_file(path, whole_lines=True)
        # After the rows: each price is kept before a row that names it is written.
        for path in sorted(self._others()):
            self._copy_file(path, whole_lines=path.parent == self._source.quarantine and path.suffix == ".jsonl")
        for folder in (self._source.usage, self._source.prompts, self._source.journal, self._source.keys):
            _make_folder(self._target.root / folder.name)
        for path in self._target.root.rglob("*"):
            if path.is_dir():
                sync_directory(path)
        sync_directory(self._target.root)
        return self._report

    def _copy_segment(self, segment: Segment) -> None:
        self._copy_file(self._source.usage / segment.file, sha256=segment.sha256)
        if segment.prompts:
            self._copy_file(self._source.prompts / segment.file, sha256=segment.prompts_sha256)
        self._report.segments += 1
        self._report.rows += segment.row_count
        with localcontext(EXACT):
            self._report.cost_usd += segment.cost_usd

    def _others(self) -> Iterator[Path]:
        """Everything else that is not derived: prices, keys, quarantine, settings, and the user's own files."""
        home = self._source
        databases = {file for path in (home.build_database, home.warehouse_database) for file in database_files(path)}
        derived = {*databases, home.dbt, home.dagster, home.ids, home.locks}
        copied = {home.usage, home.prompts, home.journal}
        for top in home.root.iterdir():
            if top in derived | copied or top.name.startswith((".", home.manifest.name)):
                continue
            yield from (path for path in (top, *top.rglob("*")) if path.is_file() and not path.name.startswith("."))

    def _copy_file(self, path: Path, sha256: str | None = None, *, whole_lines: bool = False) -> None:
        """Copy one file durably (mode 0600); with `whole_lines` up to the last newline there is now."""
        target = self._target.root / path.relative_to(self._source.root)
        _make_folder(target.parent)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            if sha256 is None:
                return  # a temporary file, or a quarantine that retention emptied meanwhile
            raise
        with file, target.open("xb") as copy:
            target.chmod(PRIVATE_FILE)
            digest, end = hashlib.sha256(), 0
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                copy.write(block)
                newline = block.rfind(b"\n") + 1
                end = copy.tell() - len(block) + newline if newline else end
                self._progress(len(block))
            if whole_lines:
                copy.truncate(end)
            copy.flush()
            os.fsync(copy.fileno())
            self._report.bytes += end if whole_lines else copy.tell()
        if sha256 is not None and digest.hexdigest() != sha256:
            raise LedgerError(f"{path} is damaged (its sha256 is not the manifest's): see `llm-cost verify`")
        self._report.files += 1


def _make_folder(folder: Path) -> None:
    """Make it and what is missing above it, each the owner's alone; `mkdir` asks that of the last one only."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700)
