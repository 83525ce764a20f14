"""The ledger's home on disk: where everything lies, and the books' own settings in ledger.toml."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tracking.durable_files import create_exclusively, make_directory, sync_directory
from tracking.errors import LedgerError
from tracking.rows.request_type import check_name

FORMAT_VERSION = 1
LEDGER_TOML = """\
# What belongs to the books themselves. No environment variable overrides it.
format_version = {version}
# Reports are by calendar day of this zone; rows themselves are UTC instants.
reporting_timezone = "UTC"
# Request types this ledger accepts besides the built-in ones, e.g. ["summarise_feedback"]
request_types = []
# Everything is kept for ever, unless days are given here. `llm-cost retain` removes what is older, e.g.
# prompts_days = 90, rows_days = 730
[retention]
"""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days before today (UTC) prompts and rows are kept; `None` is for ever."""

    prompts_days: int | None = None
    rows_days: int | None = None


@dataclass(frozen=True, slots=True)
class BookSettings:
    """What `ledger.toml` says."""

    format_version: int = FORMAT_VERSION
    reporting_timezone: str = "UTC"
    request_types: tuple[str, ...] = ()
    retention: Retention = Retention()


class Home:
    """Paths under one `LLM_COST_HOME`. Touches the disk only in `open()` and `settings()`."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser().absolute()
        self.ledger_toml = self.root / "ledger.toml"
        self.journal = self.root / "journal"
        self.usage = self.root / "usage"
        self.prompts = self.root / "prompts"
        self.quarantine = self.root / "quarantine"
        self.prices = self.root / "prices"
        self.keys = self.root / "keys"
        self.locks = self.root / "locks"
        self.dimensions = self.root / "dimensions"
        self.prices_toml = self.root / "prices.toml"
        self.manifest = self.root / "manifest.sqlite"
        self.build_database = self.root / "build.duckdb"
        self.warehouse_database = self.root / "warehouse.duckdb"
        self.dbt = self.root / "dbt"
        self.dagster = self.root / "dagster"

    def __repr__(self) -> str:
        return f"Home({str(self.root)!r})"

    def open(self) -> BookSettings:
        """Create what is missing (directories 0700), and return the books' settings.

        Raises:
            LedgerError: the home cannot be written, or is from a newer version.
        """
        try:
            make_directory(self.root)
            if self.ledger_toml.exists():
                settings = self.settings()
            else:
                create_exclusively(self.ledger_toml, LEDGER_TOML.format(version=FORMAT_VERSION).encode())
                settings = self.settings()
            for directory in (
                self.journal,
                self.usage,
                self.prompts,
                self.quarantine,
                self.prices,
                self.keys,
                self.locks,
                self.dbt,
            ):
                directory.mkdir(mode=0o700, exist_ok=True)
            # Whoever made them: a journal's line is only as durable as the folder it is in.
            sync_directory(self.root)
        except OSError as error:
            raise LedgerError(f"home {self.root} cannot be used: {error.strerror or error}") from error
        if not os.access(self.journal, os.W_OK | os.X_OK):
            raise LedgerError(f"home {self.root} is not writable")
        return settings

    def settings(self) -> BookSettings:
        """Read `ledger.toml`; `LedgerError` where it is absent, malformed or newer than this code."""
        try:
            content = tomllib.loads(self.ledger_toml.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LedgerError(f"home {self.root} holds no ledger (ledger.toml is missing)") from None
        except OSError as error:
            raise LedgerError(f"{self.ledger_toml} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LedgerError(f"{self.ledger_toml} is not valid TOML: {error}") from error
        return _book_settings(self.ledger_toml, content)


def _book_settings(path: Path, content: Mapping[str, Any]) -> BookSettings:
    def problem(name: str, expectation: str) -> LedgerError:
        return LedgerError(f"{path}: {name} is {content.get(name)!r}, {expectation}")

    version = content.get("format_version")
    if type(version) is not int or version < 1:
        raise problem("format_version", "expected a whole number from 1")
    if version > FORMAT_VERSION:
        raise problem("format_version", f"newer than this version can read ({FORMAT_VERSION})")
    unknown = content.keys() - {"format_version", "reporting_timezone", "request_types", "retention"}
    if unknown:
        raise problem(min(unknown), "not a setting this version knows")

    timezone = content.get("reporting_timezone", "UTC")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise problem("reporting_timezone", "expected an IANA time zone such as 'Europe/Berlin'") from None

    names = content.get("request_types", [])
    if not isinstance(names, list):
        raise problem("request_types", "expected a list of names")
    try:
        request_types = tuple(check_name(name) for name in cast(list[object], names))
    except ValueError as error:
        raise problem("request_types", str(error)) from None
    return BookSettings(version, timezone, request_types, _retention(path, content.get("retention", {})))


def _retention(path: Path, table: object) -> Retention:
    names = [field.name for field in fields(Retention)]
    if not isinstance(table, dict):
        raise LedgerError(f"{path}: retention is {table!r}, expected a table with {' and '.join(names)}")
    days = cast(dict[str, object], table)
    for name, value in days.items():
        if name not in names:
            raise LedgerError(f"{path}: retention.{name} is {value!r}, not a setting this version knows")
        if type(value) is not int or value < 1:
            raise LedgerError(f"{path}: retention.{name} is {value!r}, expected a whole number of days from 1")
    return Retention(**cast(dict[str, int], days))
