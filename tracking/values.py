"""Values as they come in from outside: numbers of any library, texts that can be kept, and how an error shows them."""

import operator
import re
from datetime import UTC, datetime
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, cast

from tracking.errors import ArgumentError
from tracking.interrupts import raise_interrupt_behind

LONGEST_TEXT = 65_536
"""Characters of an id, a name or any other text of a row; prompts have a limit of their own."""

LONGEST_NAME = 1024
"""Characters of the name of a provider or a model."""

LONGEST_SHOWN = 48

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
"""Between them a call was made: what 64 bits of nanoseconds hold, as which other tools read our Parquet files."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def shown(value: object) -> str:
    """A refused value as an error may show it: short, in ASCII, and never by its own code."""
    kind = type(value)
    if kind is str:
        text = cast(str, value)
        return ascii(text) if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]!a}… ({len(text):,} characters)"
    if isinstance(value, int) and kind is not bool:
        bits = int.bit_length(value)
        return int.__repr__(value) if bits <= 128 else f"a whole number of {bits:,} bits"
    if isinstance(value, float):
        return float.__repr__(value)
    if value is None or kind in (bool, Decimal, datetime):
        return str(value)[:LONGEST_SHOWN]
    return f"a {kind.__name__}"


def whole_number(value: object) -> int | None:
    """`value` as an `int` where it is a whole number of any library's (numpy's, say) and no boolean; else `None`."""
    if type(value) is int:
        return value
    if isinstance(value, Integral) and not _is_boolean(value):
        try:
            return int(operator.index(cast(Any, value)))
        except Exception as error:  # a number of the application's own may fail in its own way
            raise_interrupt_behind(error)
    return None


def _is_boolean(value: object) -> bool:
    return type(value) is bool


def number(value: object) -> int | Decimal | None:
    """`value` as an exact number, a float by its shortest decimal form; `None` where it is no number."""
    kind = type(value)
    if kind is int or kind is Decimal:
        return cast("int | Decimal", value)
    if kind is float:
        return Decimal(repr(value))
    if (whole := whole_number(value)) is not None:
        return whole
    try:
        if isinstance(value, float):
            return Decimal(float.__repr__(value))
        is_one = isinstance(value, Decimal | Real) and not _is_boolean(value)
        return Decimal(str(value)) if is_one else None  # numpy's float32, say
    except Exception as error:
        raise_interrupt_behind(error)
        return None


def plain_text(text: str) -> str:
    """A text without what a class of its own makes of it (numpy's, an enumeration's)."""
    return text if type(text) is str else str.__str__(text)


def text_problem(text: str, longest: int = LONGEST_TEXT) -> str | None:
    """Why a text cannot be an id or a name in the ledger; `None` where it can."""
    if len(text) > longest:
        return f"is {len(text):,} characters long, more than {longest:,}"
    if text.isprintable():
        return None
    if found := _SURROGATE.search(text):
        return f"holds a character that is not valid Unicode (U+{ord(found[0]):04X} at {found.start()})"
    if found := _CONTROL.search(text):
        return f"holds a control character (U+{ord(found[0]):04X} at {found.start()})"
    return None


def characters_in(value: object, depth: int = 3) -> int:
    """Of the texts in a value and in what it holds, so deep: what is far too long is not turned to JSON to see that."""
    if isinstance(value, str):
        return len(value)
    if depth and isinstance(value, dict):
        return sum(characters_in(each, depth - 1) for pair in cast("dict[Any, Any]", value).items() for each in pair)
    if depth and isinstance(value, list | tuple):
        return sum(characters_in(each, depth - 1) for each in cast("list[Any]", value))
    return 0


def instant(argument: str, value: object) -> datetime:
    """An aware instant as UTC.

    Raises:
        ArgumentError: no instant, one without a time zone, or one before 1970 or after 2261.
    """
    if not isinstance(value, datetime):
        raise ArgumentError(argument, f"is a {type(value).__name__}, expected a datetime with a time zone")
    if value.tzinfo is UTC and EARLIEST <= value < LATEST:
        return value
    try:
        if value.utcoffset() is None:
            raise ArgumentError(argument, f"({value.isoformat()}) has no time zone")
        moment: datetime | None = value.astimezone(UTC)
    except OverflowError:
        moment = None
    if moment is None or not EARLIEST <= moment < LATEST:
        raise ArgumentError(argument, f"({value.isoformat()}) is not between the years 1970 and 2261, in UTC")
    return moment


def unreadable(argument: str, value: object, error: Exception) -> ArgumentError:
    """What the code of an object given by the application raised, as an error of the argument.

    Raises:
        BaseException: an interrupt, which it may be.
    """
    raise_interrupt_behind(error)
    return ArgumentError(argument, f"cannot be read: a {type(value).__name__} raised {type(error).__name__}")
