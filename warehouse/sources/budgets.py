"""`budgets.toml` in the home: what may be spent on whom or what, in which period. See docs/budgets.md.

An entry is in force for the periods that begin from `from` to `to`, both included, so that a limit can be changed
without changing what it was before.
"""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

import duckdb
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.database import create_table

PLACES = 12
LARGEST = Decimal(10) ** 15
LONGEST_TERM = timedelta(days=3660)
"""Every day of a term that is to come has its forecast."""
BUDGETS = {
    "entry_number": "BIGINT",
    "name": "VARCHAR",
    "scope": "VARCHAR",
    "scope_key": "VARCHAR",
    "scope_value": "VARCHAR",
    "tenant": "VARCHAR",
    "period": "VARCHAR",
    "valid_from": "DATE",
    "valid_to": "DATE",
    "limit_usd": "DECIMAL(38,12)",
}
LEVELS = {"entry_number": "BIGINT", "warn_percent": "BIGINT"}

KEYED_SCOPES = {"trackable": "/", "tag": "="}
"""Scopes whose value is two texts, and what stands between them: Assignment/42, subject=history."""


def usd(value: object) -> Decimal:
    """An exact amount, written as text or as a number, of at most 12 decimal places; ValueError says what is wrong."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("is not a number")
    try:
        amount = Decimal(value)
    except ArithmeticError:
        raise ValueError("is not a number") from None
    if not amount.is_finite():
        raise ValueError("is not finite")
    if amount.copy_abs() >= LARGEST:
        raise ValueError("is too large")
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > PLACES and amount % Decimal("1e-12"):
        raise ValueError(f"has more than {PLACES} decimal places")
    return amount


def _limit(value: object) -> Decimal:
    amount = usd(value)
    if amount < 0:
        raise ValueError("is negative")
    return amount


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("is not a date; write it like 2026-09-01, without quotes")


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError("is blank or not a text")


def _levels(value: object) -> tuple[int, ...]:
    levels = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(type(level) is int and 0 < level <= 100 for level in levels):
        raise ValueError("is not a list of whole per cents from 1 to 100")
    return tuple(sorted(set(cast("list[int]", levels))))


Text = Annotated[str, BeforeValidator(_text)]
Day = Annotated[date, BeforeValidator(_day)]


class Budget(BaseModel):
    """One `[[budget]]` entry. `first` and `last` are its `from` and `to`, both included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text
    scope: Literal["all", "tenant", "user", "trackable", "request_type", "model", "tag"]
    period: Literal["day", "week", "month", "quarter", "year", "term"]
    limit_usd: Annotated[Decimal, BeforeValidator(_limit)]
    value: Text | None = None
    tenant: Text | None = None
    first: Day | None = Field(None, alias="from")
    last: Day | None = Field(None, alias="to")
    warn: Annotated[tuple[int, ...], BeforeValidator(_levels)] = (80,)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.scope == "all") != (self.value is None):
            raise ValueError(f"value is {'not for' if self.scope == 'all' else 'missing for'} scope {self.scope}")
        if self.scope == "tenant" and self.tenant is not None:
            raise ValueError("tenant is not for scope tenant; its value names the tenant")
        if self.scope in KEYED_SCOPES and not all(self.scope_pair):
            raise ValueError(f"value ({self.value}) is not written like {self._example}")
        if self.period == "term" and (self.first is None or self.last is None):
            raise ValueError(f"{'from' if self.first is None else 'to'} is missing for period term")
        if self.last == date.max:
            raise ValueError(f"to ({self.last}) is out of range")
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"to ({self.last}) is before from ({self.first})")
        if self.period == "term" and self.first and self.last and self.last - self.first >= LONGEST_TERM:
            raise ValueError(f"from ({self.first}) to ({self.last}) is a term of more than {LONGEST_TERM.days:,} days")
        return self

    @property
    def end(self) -> date | None:
        """The first day after it."""
        return None if self.last is None else self.last + timedelta(days=1)

    @property
    def scope_pair(self) -> tuple[str | None, str | None]:
        """The key and the value: the type and id of a trackable, a tag's name and value; else no key."""
        separator = KEYED_SCOPES.get(self.scope)
        if separator is None or self.value is None:
            return None, self.value
        key, _, value = self.value.partition(separator)
        return key, value

    @property
    def _example(self) -> str:
        return "Assignment/42" if self.scope == "trackable" else "subject=history"

    def overlaps(self, other: "Budget") -> bool:
        """Whether both have one name and are in force on one day."""
        return (
            self.name == other.name
            and (self.first or date.min) < (other.end or date.max)
            and (other.first or date.min) < (self.end or date.max)
        )


def load_budgets(path: Path) -> list[Budget]:
    """What the file says, in its order. No file, no budgets.

    Raises:
        LedgerError: malformed; the entry, the field and its value are named, of overlapping entries both.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        return []
    except (ValueError, ArithmeticError) as error:
        raise LedgerError(f"{path} is not valid TOML: {error}") from error
    except RecursionError:
        raise LedgerError(f"{path} is not valid TOML: nested too deeply") from None
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}") from error
    unknown = content.keys() - {"budget"}
    if unknown:
        raise LedgerError(f"{path}: {min(unknown)} is no kind of entry; known: budget")
    entries = content.get("budget", [])
    if not isinstance(entries, list):
        raise LedgerError(f"{path}: budget is not a list of tables; write [[budget]]")
    budgets = [_budget(path, number, entry) for number, entry in enumerate(cast("list[object]", entries), start=1)]
    for (one, budget), (two, other) in combinations(enumerate(budgets, start=1), 2):
        if budget.overlaps(other):
            raise LedgerError(
                f"{path}: [[budget]] number {one} and number {two} overlap: both are named {budget.name!r}; "
                "date them with from and to, or name one differently"
            )
    return budgets


def _budget(path: Path, number: int, entry: object) -> Budget:
    label = f"{path}: [[budget]] number {number}"
    if not isinstance(entry, Mapping):
        raise LedgerError(f"{label} is not a table")
    named = cast("Mapping[str, Any]", entry).get("name")
    if isinstance(named, str) and named.strip():
        label += f" ({named})"
    try:
        return Budget.model_validate(entry)
    except ValidationError as error:
        raise LedgerError(f"{label}: {_problem(error)}") from None


def _problem(error: ValidationError) -> str:
    """The first problem, with its field and value."""
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return reason
    field = first["loc"][0]
    if first["type"] == "missing":
        return f"{field} is missing"
    if first["type"] == "extra_forbidden":
        return f"unknown field {field}"
    if first["type"] == "literal_error":
        reason = f"is not one of {first.get('ctx', {})['expected']}"
    value = first["input"]
    return f"{field} ({value if isinstance(value, str | Decimal) else repr(value)}) {reason}"


def create_budgets(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Create or replace `ledger.budgets` and `ledger.budget_levels`.

    Raises:
        LedgerError: `budgets.toml` is malformed; then neither is touched.
    """
    budgets = list(enumerate(load_budgets(home.budgets_toml), start=1))
    create_table(
        connection,
        "budgets",
        BUDGETS,
        [
            (number, it.name, it.scope, *it.scope_pair, it.tenant, it.period, it.first, it.end, it.limit_usd)
            for number, it in budgets
        ],
    )
    create_table(connection, "budget_levels", LEVELS, [(number, level) for number, it in budgets for level in it.warn])
