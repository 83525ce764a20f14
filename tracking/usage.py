"""Counts of one call, in the terms of OpenTelemetry's GenAI conventions.

`input_tokens` and `output_tokens` are the provider's totals; cached and reasoning counts are
subsets of them, so nothing is ever derived by adding or subtracting across conventions.
Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, cast

from tracking.errors import ArgumentError, UsageError
from tracking.values import number, shown

MAX_COUNT = 10**12
"""More than any call can use, and little enough that the sums of millions of such rows still fit 64 bits."""

MOST_PLACES = 30
"""Decimal places of a quantity at most."""

TOKEN_COUNTS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
"""The counts with a ledger column of their own. Everything else is one of `other_units`."""

CATALOGUE_UNIT = {"reasoning_tokens": "output_reasoning_tokens"}
"""Our column names where the catalogue's unit is named otherwise."""

CATALOGUE_UNITS = tuple(CATALOGUE_UNIT.get(name, name) for name in TOKEN_COUNTS)

counts_of: Callable[["Usage"], tuple[int | None, ...]] = attrgetter(*TOKEN_COUNTS)
"""The token counts of a usage, in the order of `TOKEN_COUNTS`."""

SUBSETS = (
    (("cache_read_tokens", "cache_write_tokens"), "input_tokens"),
    (("cache_write_1h_tokens",), "cache_write_tokens"),
    (("reasoning_tokens",), "output_tokens"),
)

Quantity = int | Decimal
"""A whole count, or an exact measure such as 12.5 seconds of audio."""


_OF_ANOTHER_MODEL = ("input", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h", "output")
UNITS_OF_OURS = frozenset(
    (
        *("image_generations", "input_images", "search_sources", "code_interpreter_sessions", "parsed_files"),
        *("maps_searches", "attachment_searches", "image_searches", "server_tool_calls"),
        *("image_generation_input_tokens", "image_generation_output_tokens"),
        *(f"{whose}_{kind}_tokens" for whose in ("advisor", "declined") for kind in _OF_ANOTHER_MODEL),
    )
)
"""What some providers count and the catalogue does not."""


LONGEST_UNIT = 64


@cache
def known_units() -> frozenset[str]:
    """Every unit there is, by its name."""
    from genai_prices.units import _get_registry  # pyright: ignore[reportPrivateUsage]

    return UNITS_OF_OURS.union(_get_registry().units)


def check_unit(name: object, also: Iterable[str] = ()) -> None:
    """Refuse a name that is no unit's, nor one of `also`, which are only named as the nearest.

    Raises:
        ArgumentError: with the nearest name.
    """
    if isinstance(name, str) and name in known_units():
        return
    if not isinstance(name, str) or len(name) > LONGEST_UNIT:
        raise ArgumentError("other_units", f"has no unit named {shown(name)}")
    near = get_close_matches(name, known_units().union(also), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ArgumentError(name if name.isidentifier() else ascii(name), f"is no count or unit known here{hint}")


def as_quantity(name: str, value: object) -> Quantity:
    """`value` as an exact, non-negative quantity up to MAX_COUNT; floats by their shortest decimal form.

    Raises:
        UsageError: not a number, a boolean, NaN, infinite, negative or too large.
    """
    quantity = number(value)
    if quantity is None:
        told = f" ({shown(value)})" if isinstance(value, bool) or (isinstance(value, str) and len(value) <= 30) else ""
        raise UsageError(f"{name}{told} is a {type(value).__name__}, not a number")
    if isinstance(quantity, Decimal):
        if not quantity.is_finite():
            raise UsageError(f"{name} ({shown(value)}) is not a finite number")
        if quantity and quantity.adjusted() < -MOST_PLACES:
            raise UsageError(f"{name} ({shown(value)}) has more than {MOST_PLACES} decimal places")
    if quantity < 0:
        raise UsageError(f"{name} ({shown(value)}) is negative")
    if quantity > MAX_COUNT:
        raise UsageError(f"{name} ({shown(value)}) is larger than {MAX_COUNT}")
    if isinstance(quantity, Decimal) and quantity == quantity.to_integral_value():
        return int(quantity)
    return quantity


def as_count(name: str, value: object) -> int:
    """`value` as a non-negative whole number up to MAX_COUNT, or UsageError."""
    quantity = as_quantity(name, value)
    if not isinstance(quantity, int):
        raise UsageError(f"{name} ({shown(value)}) is not a whole number")
    return quantity


def total_tokens(input_tokens: int | None, output_tokens: int | None) -> int | None:
    """Input plus output; `None` only where neither is known (an embedding has no output)."""
    if input_tokens is None or output_tokens is None:
        return output_tokens if input_tokens is None else input_tokens
    return input_tokens + output_tokens


def parts_fit(counts: Iterable[Any]) -> bool:
    """Whether no part exceeds its whole; `counts` are whole numbers or `None`, in the order of `TOKEN_COUNTS`."""
    whole, read, write, write_1h, output, reasoning = counts
    return (
        (read or 0) + (write or 0) <= (whole or 0)
        and (write_1h or 0) <= (write or 0)
        and (reasoning or 0) <= (output or 0)
    )


def check_subsets(counts: Mapping[str, int | None]) -> None:
    """Refuse counts of which a part exceeds its whole, naming both values."""
    if parts_fit(map(counts.get, TOKEN_COUNTS)):
        return
    for parts, whole in SUBSETS:
        total = 0
        for part in parts:
            total += counts.get(part) or 0
        if total and ((limit := counts.get(whole)) is None or total > limit):
            named = " + ".join(f"{part} ({counts[part]})" for part in parts if counts.get(part))
            problem = f"given without {whole}" if limit is None else f"exceeds {whole} ({limit})"
            raise UsageError(f"{named} {problem}")


_quoted = lru_cache(maxsize=1024)(json.dumps)


def units_json(units: Mapping[str, Quantity]) -> str | None:
    """Units by name as canonical JSON with exact numbers, or `None` when there are none."""
    if not units:
        return None
    return "{" + ",".join([f"{_quoted(name)}:{quantity}" for name, quantity in sorted(units.items())]) + "}"


def units_from_json(text: str | None) -> dict[str, Quantity]:
    """What `units_json` made the text from, exactly.

    Raises:
        UsageError: not the JSON of a mapping.
    """
    try:
        units: object = {} if text is None else json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise UsageError(f"other_units is not JSON: {error}") from None
    if not isinstance(units, dict):
        raise UsageError("other_units is not the JSON of a mapping")
    return cast("dict[str, Quantity]", units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Counts of one call. `None` means the provider did not say; it is never zero.

    Raises:
        UsageError: a count is negative, not a whole number, or exceeds the count it is part of.
        ArgumentError: a unit that neither the catalogue nor any answer counts in; the nearest name is told.
    """

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    other_units: Mapping[str, Quantity] = field(default_factory=dict[str, Quantity])
    """Further units by their catalogue name: audio, image and video tokens, searches, seconds, pages."""

    def __post_init__(self) -> None:
        for name in TOKEN_COUNTS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, as_count(name, value))
        check_subsets(self.token_counts())
        given = cast(object, self.other_units)
        if not isinstance(given, Mapping):
            raise UsageError(f"other_units is a {type(given).__name__}, expected a mapping of quantities by unit")
        for name in cast("Mapping[object, object]", given):
            check_unit(name, TOKEN_COUNTS)
        others = {name: as_quantity(name, value) for name, value in self.other_units.items()}
        object.__setattr__(self, "other_units", others)

    def token_counts(self) -> dict[str, int | None]:
        return dict(zip(TOKEN_COUNTS, counts_of(self), strict=True))

    @property
    def token_count(self) -> int | None:
        """Input plus output; `None` only where neither is known."""
        return total_tokens(self.input_tokens, self.output_tokens)

    def other_units_json(self) -> str | None:
        """`other_units` as canonical JSON with exact numbers, or `None` when there are none."""
        return units_json(self.other_units) if self.other_units else None


def catalogue_counts(usage: Usage) -> dict[str, Quantity]:
    """The counts that are known, by the catalogue's unit names."""
    counts: dict[str, Quantity] = dict(usage.other_units) if usage.other_units else {}
    for unit, count in zip(CATALOGUE_UNITS, counts_of(usage)):  # noqa: B905  `strict` takes 0.2 µs
        if count is not None:
            counts[unit] = count
    return counts
