"""A process that dies at its N-th step: from then on nothing it does reaches the disk, its own cleaning up included."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tracking.home import Home
from warehouse.ledger.footer import Provenance
from warehouse.ledger.manifest import Manifest

STEPS = ("fsync", "fdatasync", "replace", "unlink", "rmdir", "pwrite", "link")
COMMITS = ("commit_seal", "swap", "drop_prompts", "forget_findings", "note_unpublished", "forget_retired")


class Killed(BaseException):
    pass


@contextmanager
def dying_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dies before the step with this number, counted from 0; leaves without error where there are fewer."""
    left = step

    def counted(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, counted(getattr(os, name)))
        for name in COMMITS:
            patch.setattr(Manifest, name, counted(getattr(Manifest, name)))
        yield


def deaths(prepared: Path, work: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of a prepared home in which `work(home)` died at each step, one after the other, until it got through."""
    step = 0
    while True:
        home = prepared.with_name(f"{prepared.name}-died-{step}")
        shutil.copytree(prepared, home)
        try:
            with dying_at(step, monkeypatch):
                work(home)
            died = False
        except Killed:
            died = True
        yield home
        shutil.rmtree(home)
        if not died:
            assert step > 5, "there was nothing to die at"
            return
        step += 1


def rows_by_footers(home: Path) -> list[str]:
    """The record ids that the files themselves say are live: those in no other file's `replaces`."""
    files = {file.relative_to(home / "usage").as_posix(): file for file in (home / "usage").glob("*/*.parquet")}
    footers = {name: Provenance.read(file) for name, file in files.items()}
    replaced = {name for footer in footers.values() if footer for name in footer.replaces}
    return sorted(
        record_id
        for name, file in files.items()
        if name not in replaced
        for record_id in pl.read_parquet(file, columns=["record_id"])["record_id"]
    )


def parquet_files(home: Path, folder: str = "usage") -> set[str]:
    return {file.relative_to(home / folder).as_posix() for file in (home / folder).rglob("*") if file.is_file()}


def live_files(home: Path) -> set[str]:
    with Manifest(Home(home)) as manifest:
        return {segment.file for segment in manifest.segments()}
