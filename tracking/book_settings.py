"""What `ledger.toml` says: the books' own settings, checked to the last name."""

import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tracking.errors import LedgerError
from tracking.rows.request_type import check_name

FORMAT_VERSION = 1
LEDGER_TOML = f"""\
# What belongs to the books themselves. No environment variable overrides it.
format_version = {FORMAT_VERSION}
# Reports are by calendar day of this zone; rows themselves are UTC instants.
reporting_timezone = "UTC"
# Request types this ledger accepts besides the built-in ones, e.g. ["summarise_feedback"]
request_types = []
# What the reports take for a grading or a rubric, and more that docs/optimisation.md lists, e.g.
# grading_request_types = ["grade_student_work", "grade_essay"]
[reports]
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
class ReportSettings:
    """What the reports are made with, where the books say it; `None` leaves it to the reports themselves.

    The names are those of the dbt project's variables, which have the defaults.
    """

    grading_request_types: tuple[str, ...] | None = None
    submission_types: tuple[str, ...] | None = None
    rubric_request_types: tuple[str, ...] | None = None
    rubric_types: tuple[str, ...] | None = None
    batch_request_types: tuple[str, ...] | None = None
    outlier_robust_z: float | None = None
    fiscal_year_first_month: int | None = None

    def given(self) -> dict[str, object]:
        """What the books say, by name, as JSON can hold it."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class BookSettings:
    """What `ledger.toml` says."""

    format_version: int = FORMAT_VERSION
    reporting_timezone: str = "UTC"
    request_types: tuple[str, ...] = ()
    locks_are_shared: bool = False
    """Said of a file system that is not known for it: who opens the home sees the locks of everybody who does."""
    reports: ReportSettings = ReportSettings()
    retention: Retention = Retention()


def parse_book_settings(path: Path, text: str) -> BookSettings:
    """The settings in the text of `ledger.toml`, which `path` names in errors.

    Raises:
        LedgerError: it is malformed, newer than this code, or says something unknown; name and value are told.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LedgerError(f"{path} is not valid TOML: {error}") from error
    version = content.get("format_version")
    if type(version) is not int or version < 1:
        raise _refused(path, "format_version", version, "expected a whole number from 1")
    if version > FORMAT_VERSION:
        raise _refused(path, "format_version", version, f"newer than this version can read ({FORMAT_VERSION})")
    names = {field.name for field in fields(BookSettings)}
    for name in sorted(content.keys() - names):
        raise _refused(path, name, content[name], "not a setting this version knows")
    return BookSettings(
        version,
        _time_zone(path, content.get("reporting_timezone", "UTC")),
        _request_types(path, "request_types", content.get("request_types", [])),
        _flag(path, "locks_are_shared", content.get("locks_are_shared", False)),
        ReportSettings(**_table(path, "reports", content.get("reports", {}), REPORTS)),
        Retention(**_table(path, "retention", content.get("retention", {}), RETENTION)),
    )


def _refused(path: Path, name: str, value: object, expectation: str) -> LedgerError:
    return LedgerError(f"{path}: {name} is {value!r}, {expectation}")


def _time_zone(path: Path, value: Any) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise _refused(
            path, "reporting_timezone", value, "expected an IANA time zone such as 'Europe/Berlin'"
        ) from None
    return value


def _flag(path: Path, name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _refused(path, name, value, "expected true or false")


def _request_types(path: Path, name: str, value: object) -> tuple[str, ...]:
    entries = _entries(path, name, value, "expected a list of names")
    try:
        return tuple(check_name(entry) for entry in entries)
    except ValueError as error:
        raise _refused(path, name, value, str(error)) from None


def _trackable_types(path: Path, name: str, value: object) -> tuple[str, ...]:
    expectation = "expected a list of types of trackables such as ['Submission']"
    entries = _entries(path, name, value, expectation)
    types = tuple(entry for entry in entries if isinstance(entry, str) and entry.strip())
    if len(types) < len(entries):
        raise _refused(path, name, value, expectation)
    return types


def _entries(path: Path, name: str, value: object, expectation: str) -> list[object]:
    if isinstance(value, list):
        return cast(list[object], value)
    raise _refused(path, name, value, expectation)


def _score(path: Path, name: str, value: object) -> float:
    if type(value) not in (int, float) or not 0 < (number := cast(float, value)) <= sys.float_info.max:
        raise _refused(path, name, value, "expected a number above 0")
    return float(number)


def _days(path: Path, name: str, value: object) -> int:
    if type(value) is not int or value < 1:
        raise _refused(path, name, value, "expected a whole number of days from 1")
    return value


def _month(path: Path, name: str, value: object) -> int:
    if type(value) is not int or not 1 <= value <= 12:
        raise _refused(path, name, value, "expected the number of a month, 1 to 12")
    return value


_Reader = Callable[[Path, str, object], object]

REPORTS: dict[str, _Reader] = {
    "grading_request_types": _request_types,
    "submission_types": _trackable_types,
    "rubric_request_types": _request_types,
    "rubric_types": _trackable_types,
    "batch_request_types": _request_types,
    "outlier_robust_z": _score,
    "fiscal_year_first_month": _month,
}
RETENTION: dict[str, _Reader] = {"prompts_days": _days, "rows_days": _days}


def _table(path: Path, table: str, value: object, readers: Mapping[str, _Reader]) -> dict[str, Any]:
    """A table of settings, each as its reader takes it."""
    if not isinstance(value, dict):
        raise _refused(path, table, value, f"expected a table with {', '.join(readers)}")
    settings = cast(dict[str, object], value)
    for name in sorted(settings.keys() - readers.keys()):
        raise _refused(path, f"{table}.{name}", settings[name], "not a setting this version knows")
    return {name: readers[name](path, f"{table}.{name}", setting) for name, setting in settings.items()}
