"""Whether a home and its machine are fit to record on: each thing looked at, what was found, and what to do."""

import fcntl
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from tracking.calls.lost import lost_calls
from tracking.errors import LedgerError
from tracking.home import Home
from tracking.interrupts import raise_interrupt_behind
from tracking.pricing.sources.supplement_files import supplement_version
from warehouse.integrity.findings import Findings
from warehouse.integrity.verify_files import verify_modes
from warehouse.sealing.waiting import waiting_journals

PACKAGES = ("llm-cost-ledger", "genai-prices", "pydantic", "duckdb", "dbt-core", "polars")
LEAST_FREE_BYTES = 1024**3
OLDEST_PRICES = timedelta(days=30)
OLDEST_WAITING = timedelta(days=1)
"""Sealing is hourly where Dagster runs, and part of every build."""
CLOCK_IS_WRONG = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `advice` is what to do about it, empty where all is well."""

    name: str
    found: str
    advice: str = ""


def examine(home: Home, now: datetime | None = None) -> list[Check]:
    """Look at a home and its machine. Nothing is changed; what cannot be looked at is told as such."""
    now = now or datetime.now(UTC)
    if not home.ledger_toml.exists():
        return [
            Check(
                "home",
                f"{home.root} is none yet",
                "the first record() makes one, or llm-cost init; --home names another",
            ),
            _versions(),
        ]
    return [_home(home), _versions(), *_looked_at(home, now)]


def _home(home: Home) -> Check:
    try:
        home.require_locks(home.settings())
    except LedgerError as error:
        return Check("home", str(error), "see docs/deploy.md")
    return Check("home", str(home.root))


def _versions() -> Check:
    told = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return Check("versions", f"Python {platform.python_version()}, {told}")


def _looked_at(home: Home, now: datetime) -> Iterator[Check]:
    for name, look in (
        ("permissions", lambda: _permissions(home)),
        ("clock", lambda: _clock(home, now)),
        ("free space", lambda: _free_space(home)),
        ("journals", lambda: _journals(home, now)),
        ("prices", lambda: _prices(now.date())),
        ("lost calls", lambda: _lost(home)),
    ):
        try:
            yield Check(name, *look())
        except (OSError, LedgerError) as error:
            raise_interrupt_behind(error)
            yield Check(name, f"cannot be looked at: {error}", "run it as the user who records")


def _permissions(home: Home) -> tuple[str, str]:
    findings = Findings(home)
    verify_modes(home, findings)
    if not findings.problems:
        return "only who should can read the ledger", ""
    first = findings.problems[0]
    told = f"{first.place} {first.problem}"
    more = f", and {len(findings.problems) - 1:,} more" if len(findings.problems) > 1 else ""
    return told + more, "chmod them, or share the home with llm-cost init --group NAME"


def _clock(home: Home, now: datetime) -> tuple[str, str]:
    """The newest file was written at this machine's time, so a clock that went back is behind it."""
    files = [*home.journals(), home.manifest]
    newest = max((path.stat().st_mtime for path in files if path.exists()), default=0.0)
    written = datetime.fromtimestamp(newest, UTC)
    if written > now + CLOCK_IS_WRONG:
        told = f"it is {now:%Y-%m-%d %H:%M} UTC here, and the ledger was written to at {written:%Y-%m-%d %H:%M}"
        return told, "set this machine's clock (NTP); calls dated wrongly stand on wrong days and prices"
    return f"{now:%Y-%m-%d %H:%M} UTC", ""


def _free_space(home: Home) -> tuple[str, str]:
    free = shutil.disk_usage(home.root).free
    told = f"{free / 1024**3:,.1f} GiB"
    return told, "" if free >= LEAST_FREE_BYTES else "make room: a full disk loses calls; see docs/durability.md"


def _journals(home: Home, now: datetime) -> tuple[str, str]:
    orphans = [
        journal
        for journal in waiting_journals(home)
        if journal.written_at < now - OLDEST_WAITING and _is_of_nobody(journal.path)
    ]
    if not orphans:
        return "none is left by a writer that is gone", ""
    size = sum(journal.waiting_bytes for journal in orphans)
    oldest = min(journal.written_at for journal in orphans)
    finding = f"{len(orphans):,} with {size:,} bytes, of writers that are gone, the oldest since {oldest:%Y-%m-%d}"
    return finding, "llm-cost seal"


def _is_of_nobody(journal: Path) -> bool:
    """Whether no writer holds its lock."""
    try:
        descriptor = os.open(journal, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _prices(today: date) -> tuple[str, str]:
    read = date.fromisoformat(supplement_version())
    told = f"our own facts were read until {read}; genai-prices {version('genai-prices')}"
    old = today - read > OLDEST_PRICES
    return told, "pip install --upgrade llm-cost-ledger genai-prices, then llm-cost reprice --dry-run" if old else ""


def _lost(home: Home) -> tuple[str, str]:
    if not (lost := lost_calls(home.lost)):
        return "none", ""
    told = f"{lost:,} of which nothing could be written, the last at {_modified(home.lost)}"
    return told, f"their cost is in no report: compare with the provider's invoice, then delete {home.lost}"


def _modified(path: Path) -> str:
    return f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%d %H:%M} UTC"
