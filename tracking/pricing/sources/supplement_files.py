"""The supplement: our own dated facts beside genai-prices, a file for each provider, read when it is first needed."""

import tomllib
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

from tracking.errors import LedgerError
from tracking.pricing.sources.facts import Fact, facts_of

SOURCE = "supplement"
FOLDER = Path(__file__).with_name("supplement")


def facts_about(provider: str) -> tuple[Fact, ...]:
    """The facts about a provider's prices; none where it has no file."""
    return facts_in(FOLDER / f"{provider}.toml") if provider in _providers() else ()


@cache
def facts_in(path: Path) -> tuple[Fact, ...]:
    """The facts of one provider's file, which is named after it.

    Raises:
        LedgerError: the file is malformed, or facts in it overlap; both are named.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise LedgerError(f"{path} cannot be read: {error}") from error
    try:
        return tuple(facts_of(path.name, path.stem, content))
    except ValueError as error:
        raise LedgerError(str(error)) from None


@cache
def _providers() -> frozenset[str]:
    return frozenset(path.stem for path in FOLDER.glob("*.toml"))


def providers_with_facts() -> list[str]:
    return sorted(_providers())


def load() -> None:
    """Read every file now."""
    supplement_version()


def version_of(facts: Iterable[Fact]) -> str:
    """The day the newest of some facts was read."""
    return max((fact.read for fact in facts), default=date.min).isoformat()


@cache
def supplement_version() -> str:
    """The day the newest of all facts was read."""
    return version_of(fact for provider in providers_with_facts() for fact in facts_about(provider))
