"""The form in which a shape says where its counts stand."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from tracking.answers.fields import Fields, fields_of, text_in
from tracking.errors import ResponseError
from tracking.terms import terms_of_tier
from tracking.usage import Quantity
from tracking.values import text_problem

MoreUnits = Callable[[Fields, str | None], Mapping[str, Quantity]]
"""What else of an answer is billed, by unit: from the answer and its model. It is added to what was counted."""


class Conditions(NamedTuple):
    """On what conditions an answer was served, as far as its price depends on them."""

    tier: str | None = None
    terms: Mapping[str, str] = {}
    """By what it is priced, the tier included: `{"speed": "fast"}`."""
    region: str | None = None


@lru_cache(maxsize=1024)
def conditions_of(
    tier: str | None,
    *,
    speed: str | None = None,
    latency: str | None = None,
    region: str | None = None,
    **others: str | None,
) -> Conditions:
    """The conditions an answer names, put together once for each kind of answer; `others` are terms of one provider.

    Raises:
        ResponseError: the tier is no text that the ledger can keep.
    """
    if tier is not None and (problem := text_problem(tier)):
        raise ResponseError(f"service_tier of the answer {problem}")
    terms = {**terms_of_tier(tier), **{name: value for name, value in others.items() if value is not None}}
    if speed is not None:
        terms["speed"] = speed
    if latency not in (None, "standard"):  # one optimized for latency has a price of its own
        terms["latency"] = latency
    return Conditions(tier, terms, None if region == "not_available" else region)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """By what an answer tells whose it is."""

    provider: str
    packages: tuple[str, ...] = ()
    """SDKs that speak to this provider alone, by the beginning of a module's name."""
    fields: tuple[str, ...] = ()
    """Fields of an answer that this provider alone sends."""
    usage_fields: tuple[str, ...] = ()
    """Fields of its usage (Cohere's: its meta) that this provider alone sends."""
    ids: tuple[str, ...] = ()
    """What its ids begin with."""


def plain_conditions(answer: Fields) -> Conditions:
    """Where OpenAI and Anthropic, and so most others, say the service tier, the speed and the region; OpenRouter beside
    them whether the key was the caller's own."""
    tier, usage = answer.get("service_tier"), fields_of(answer.get("usage"))
    if usage is None:
        return conditions_of(text_in(tier))
    if tier is None:
        tier = usage.get("service_tier")
    speed, region = usage.get("speed"), usage.get("inference_geo")
    own_key = usage.get("is_byok")
    if speed is None and region is None and not own_key:
        return conditions_of(text_in(tier))
    key = "own" if own_key else None
    return conditions_of(text_in(tier), speed=text_in(speed), region=text_in(region), key=key)


class Item(NamedTuple):
    """A step into a list: its first item whose field has this value, whatever the case."""

    field: str
    value: str


Step = str | Item
Place = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """One unit of an answer. Places joined by `|` are the same count by other names: the largest counts."""

    unit: str
    places: tuple[Place, ...]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Where one kind of answer holds its counts."""

    name: str
    root: Place
    counts: tuple[Count, ...]
    total: Place = ()
    """Where the provider's own total stands, below the root."""
    model: tuple[str, ...] = ("model",)
    cached_apart: tuple[str, ...] = ()
    """The kinds of tokens (`audio`, `image`) of which it matters how many are cached: those are billed apart."""
    hides_output: bool = False
    """What the total has and the parts lack is output (openai/openai-python#2544)."""
    only_of: frozenset[str] = frozenset()
    """The providers that answer so; none named: anyone may."""
    conditions: Callable[[Fields], Conditions] = plain_conditions
    more: MoreUnits | None = None
    waived: Callable[[Fields], bool] | None = None
    """Whether nothing of an answer is billed."""

    @property
    def answers(self) -> bool:
        """Whether such an answer says something, which is counted as output."""
        return any(count.unit == "output_tokens" for count in self.counts)


def place(text: str) -> Place:
    """`details.cached_tokens`, or `cacheDetails[ttl=1h].inputTokens`, as steps."""
    steps: list[Step] = []
    for name, field_name, value in re.findall(r"([^.\[\]]+)(?:\[(\w+)=([\w*]+)\])?", text):
        steps.append(name)
        if field_name:
            steps.append(Item(field_name, value.lower()))
    return tuple(steps)


def needed(unit: str, places: str) -> Count:
    """A count without which an answer is not of this shape."""
    return Count(unit, tuple(map(place, places.split(" | "))), required=True)


def counted(unit: str, places: str) -> Count:
    """A count that an answer may have."""
    return Count(unit, tuple(map(place, places.split(" | "))))
