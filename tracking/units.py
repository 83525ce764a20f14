"""The units that answers count in: those of genai-prices' registry, and a few that it has no name for."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

from tracking.errors import ArgumentError
from tracking.values import shown

OURS = frozenset({"image_generations", "input_images", "search_sources"})
"""What some providers count and the catalogue does not."""


LONGEST_NAME = 64


@cache
def known_units() -> frozenset[str]:
    """Every unit there is, by its name."""
    from genai_prices.units import _get_registry  # pyright: ignore[reportPrivateUsage]

    return OURS.union(_get_registry().units)


def check_unit(name: object, also: Iterable[str] = ()) -> None:
    """Refuse a name that is no unit's, nor one of `also`, which are only named as the nearest.

    Raises:
        ArgumentError: with the nearest name.
    """
    if isinstance(name, str) and name in known_units():
        return
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise ArgumentError("other_units", f"has no unit named {shown(name)}")
    near = get_close_matches(name, known_units().union(also), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ArgumentError(name if name.isidentifier() else ascii(name), f"is no count or unit known here{hint}")
