"""Exclusion between processes of one machine, by flock on files in the home."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager

from tracking.home import Home


@contextmanager
def _locked(home: Home, name: str) -> Generator[None, None, None]:
    """Hold an exclusive lock, waiting for whoever has it. It dies with its process."""
    descriptor = os.open(home.locks / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def sealing(home: Home) -> Generator[None, None, None]:
    """One sealer at a time."""
    with _locked(home, "seal"):
        yield


@contextmanager
def building(home: Home) -> Generator[None, None, None]:
    """Covers everything that opens `build.duckdb`, command line and Dagster alike."""
    with _locked(home, "build"):
        yield


@contextmanager
def alerting(home: Home) -> Generator[None, None, None]:
    """One sender of alerts at a time, so that none is told twice."""
    with _locked(home, "alerts"):
        yield


@contextmanager
def preparing_dagster(home: Home) -> Generator[None, None, None]:
    """One process at a time makes the tables Dagster keeps its runs in."""
    with _locked(home, "dagster"):
        yield
