"""Exclusion between processes of one machine, by flock on files in the home."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager

from tracking.durable_files import create_exclusively, umask_of
from tracking.home import Home

_descriptors: dict[str, int] = {}
"""Of the build locks that this process holds, by the home's folder."""


@contextmanager
def _locked(home: Home, name: str) -> Generator[int, None, None]:
    """Hold an exclusive lock, waiting for whoever has it. It dies with its process.

    What libraries and child processes write meanwhile has the home's modes.
    """
    home.require_locks(home.settings())
    path = home.locks / f"{name}.lock"
    if not path.exists():
        create_exclusively(path, b"")
    descriptor = os.open(path, os.O_RDWR)
    umask = os.umask(umask_of(home.root))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.umask(umask)
        os.close(descriptor)


@contextmanager
def sealing(home: Home) -> Generator[None, None, None]:
    """One sealer at a time."""
    with _locked(home, "seal"):
        yield


@contextmanager
def building(home: Home) -> Generator[None, None, None]:
    """Covers everything that opens `build.duckdb`, command line and Dagster alike."""
    with _locked(home, "build") as descriptor:
        _descriptors[str(home.root)] = descriptor
        try:
            yield
        finally:
            del _descriptors[str(home.root)]


def inherited(home: Home) -> tuple[int, ...]:
    """What a child process has to be passed so that it holds the build lock too, until both are gone."""
    held = _descriptors.get(str(home.root))
    return () if held is None else (held,)


@contextmanager
def alerting(home: Home) -> Generator[None, None, None]:
    """One sender of alerts at a time, so that none is told twice."""
    with _locked(home, "alerts"):
        yield


@contextmanager
def parsing_project(home: Home) -> Generator[None, None, None]:
    """One process at a time has dbt parse the project. Not the build lock: it can be read while a build runs."""
    with _locked(home, "dbt_manifest"):
        yield


@contextmanager
def preparing_dagster(home: Home) -> Generator[None, None, None]:
    """One process at a time makes the tables Dagster keeps its runs in."""
    with _locked(home, "dagster"):
        yield
