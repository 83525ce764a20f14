"""What is counted where an answer contradicts itself: its parts and its total, or a whole and its parts.

The call was paid for, so there is always a row. Where the provider's own total says which reading is right, that one
is taken and nothing is left open; where it does not, the row says `totals_disagree` with the values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tracking.assumptions import Assumption, assumption
from tracking.usage import Quantity

Counts = dict[str, Quantity]
"""By the catalogue's unit names."""

INPUT, OUTPUT, REASONING = "input_tokens", "output_tokens", "output_reasoning_tokens"
CITED = "output_citation_tokens"
READ, WRITTEN = "cache_read_tokens", "cache_write_tokens"
WRITTEN_PARTS = ("cache_write_5m_tokens", "cache_write_1h_tokens")
KINDS = ("audio", "image", "video", "text")
"""What tokens can be of; text last, for it is billed as the rest is."""

OF_KINDS: Mapping[str, tuple[str, ...]] = {
    INPUT: tuple(f"input_{kind}_tokens" for kind in KINDS),
    READ: tuple(f"cache_{kind}_read_tokens" for kind in KINDS),
    OUTPUT: tuple(f"output_{kind}_tokens" for kind in KINDS),
}
"""The units that each whole divides into by kind."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What an answer says besides its counts, and how its shape is to be read."""

    total: Quantity | None = None
    reasoning_added: Quantity = 0
    """Reasoning that was read as standing beside the output, and added to it."""
    cached_apart: tuple[str, ...] = ()
    """The kinds of tokens of which it matters how many are cached."""
    hides_output: bool = False
    grows_to_cached: bool = False
    """More cached than sent means that so much was sent; elsewhere that the cached stand beside what was sent."""


@dataclass(slots=True)
class _Doubts:
    """What the answer said, and which of it contradicts itself."""

    said: Mapping[str, Quantity]
    about: dict[str, Quantity] = field(default_factory=dict[str, Quantity])
    split: list[str] = field(default_factory=list[str])

    def add(self, *units: str) -> None:
        self.about |= {unit: self.said[unit] for unit in units if unit in self.said}

    def assumptions(self) -> tuple[Assumption, ...]:
        told: list[Assumption] = []
        if self.about:
            told.append(assumption("totals_disagree", {name: _plain(value) for name, value in self.about.items()}))
        return (*told, *[assumption("split_assumed", unit) for unit in self.split])


def reconciled(counts: Mapping[str, Quantity], statement: Statement) -> tuple[Counts, tuple[Assumption, ...]]:
    """The counts to be billed, and what of them is an assumption."""
    fitted = dict(counts)
    doubts = _Doubts({**counts, "total_tokens": statement.total} if statement.total else counts)
    _fit_total(fitted, statement, doubts)
    _fit_written(fitted, doubts)
    _fill_unsaid(fitted)
    _fit_cached(fitted, statement, doubts)
    _fit_reasoning(fitted, doubts)
    for whole, units in OF_KINDS.items():
        _fit_kinds(whole, units, fitted, doubts)
    _fit_cached_kinds(fitted, doubts)
    if any(fitted.get(f"input_{kind}_tokens") for kind in statement.cached_apart):
        _split_cached(fitted, doubts)
    return fitted, doubts.assumptions()


def _fit_total(counts: Counts, statement: Statement, doubts: _Doubts) -> None:
    """Take the reading of input and output that adds up to the provider's own total."""
    total = statement.total
    if not total or (OUTPUT not in counts and INPUT not in counts):
        return
    input_tokens, output_tokens, reasoning = counts.get(INPUT, 0), counts.get(OUTPUT, 0), counts.get(REASONING, 0)
    cached = counts.get(READ, 0) + counts.get(WRITTEN, 0)
    cited = counts.get(CITED, 0)
    both = input_tokens + output_tokens
    if total in (both, both - cached, both - cited):  # some leave the cache, or citations, out
        return
    if statement.reasoning_added and both - statement.reasoning_added == total:
        if not statement.hides_output:  # Gemini's live total leaves the thoughts out, which are billed
            counts[OUTPUT] = output_tokens - statement.reasoning_added
    elif not statement.reasoning_added and reasoning and both + reasoning == total:
        counts[OUTPUT] = output_tokens + reasoning
    elif cached and both + cached == total:
        counts[INPUT] = input_tokens + cached
    else:
        doubts.add("total_tokens", INPUT, OUTPUT)
        if statement.hides_output and total > both:
            counts[OUTPUT] = total - input_tokens


def _fit_written(counts: Counts, doubts: _Doubts) -> None:
    """What was written is at least what was written for each time to live."""
    parts = sum(counts.get(part, 0) for part in WRITTEN_PARTS)
    written = counts.get(WRITTEN, 0)
    if parts > written:
        if written:
            doubts.add(WRITTEN, *WRITTEN_PARTS)
        counts[WRITTEN] = parts


def _fill_unsaid(counts: Counts) -> None:
    """A whole that was not said is its parts."""
    for whole in (READ, INPUT, OUTPUT):
        parts = sum(counts.get(unit, 0) for unit in OF_KINDS[whole])
        if whole == INPUT:
            parts = max(parts, counts.get(READ, 0) + counts.get(WRITTEN, 0))
        if whole not in counts and parts:
            counts[whole] = parts


def _fit_cached(counts: Counts, statement: Statement, doubts: _Doubts) -> None:
    """What was read and written is part of what was sent."""
    input_tokens, cache_read, cache_write = counts.get(INPUT, 0), counts.get(READ, 0), counts.get(WRITTEN, 0)
    if cache_read + cache_write <= input_tokens:
        return
    doubts.add(INPUT, READ, WRITTEN)
    if cache_read <= input_tokens and cache_write <= input_tokens:  # the same tokens, named twice
        for unit in (WRITTEN, *WRITTEN_PARTS):
            counts.pop(unit, None)
    elif statement.grows_to_cached:
        others = sum(counts.get(unit, 0) for unit in OF_KINDS[INPUT][:-1])
        counts[INPUT] = cache_read + cache_write + others
    else:
        counts[INPUT] = input_tokens + cache_read + cache_write


def _fit_reasoning(counts: Counts, doubts: _Doubts) -> None:
    """Reasoning is part of the output, which a total may have confirmed; else the whole is at least its part."""
    reasoning, made = counts.get(REASONING, 0), counts.get(OUTPUT, 0)
    if reasoning > made:
        confirmed = "total_tokens" in doubts.said and "total_tokens" not in doubts.about
        doubts.add(REASONING, OUTPUT)
        if confirmed:
            counts[REASONING] = made
        else:
            counts[OUTPUT] = reasoning


def _fit_kinds(whole: str, units: Sequence[str], counts: Counts, doubts: _Doubts) -> None:
    """The tokens of each kind are part of their whole; text gives way first, for it is billed as the rest is."""
    excess = sum(counts.get(unit, 0) for unit in units) - counts.get(whole, 0)
    if excess <= 0:
        return
    doubts.add(whole, *units)
    *others, text = units
    for unit in (text, *sorted(others, key=lambda unit: -counts.get(unit, 0))):
        if less := min(excess, counts.get(unit, 0)):
            counts[unit] -= less
            excess -= less


def _fit_cached_kinds(counts: Counts, doubts: _Doubts) -> None:
    """What was cached of a kind is part of what was sent of it."""
    for cached_unit, input_unit in zip(OF_KINDS[READ], OF_KINDS[INPUT], strict=True):
        if counts.get(cached_unit, 0) <= counts.get(input_unit, 0):
            continue
        if input_unit not in counts:
            undivided = counts.get(INPUT, 0) - sum(counts.get(unit, 0) for unit in OF_KINDS[INPUT])
            counts[input_unit] = min(counts[cached_unit], undivided)
        if counts[cached_unit] > counts[input_unit]:
            doubts.add(cached_unit, input_unit, INPUT)
            counts[cached_unit] = counts[input_unit]


def _split_cached(counts: Counts, doubts: _Doubts) -> None:
    """Divide cached tokens of no named kind as what was sent divides."""
    undivided = counts.get(READ, 0) - sum(counts.get(unit, 0) for unit in OF_KINDS[READ])
    if undivided <= 0:
        return
    room = {READ: counts.get(INPUT, 0) - sum(counts.get(unit, 0) for unit in OF_KINDS[INPUT])}  # of no kind itself
    for read, sent in zip(OF_KINDS[READ], OF_KINDS[INPUT], strict=True):
        if counts.get(sent):
            room[read] = counts[sent] - counts.setdefault(read, 0)
    room = {unit: each for unit, each in room.items() if each > 0}
    if len(room) > 1:
        doubts.split.append(READ)
    for unit, share in _shares(undivided, room).items():
        if unit != READ:
            counts[unit] += share


def _shares(amount: Quantity, room: Mapping[str, Quantity]) -> Mapping[str, int]:
    """A whole amount divided in proportion to the room there is, never beyond it; what rounding leaves goes to any."""
    whole = sum(room.values())
    amount = int(min(amount, whole))
    shares = {unit: int(amount * each // whole) for unit, each in room.items()}
    for unit, each in room.items():
        shares[unit] += min(amount - sum(shares.values()), int(each) - shares[unit])
    return shares


def _plain(value: Quantity) -> int | str:
    return value if isinstance(value, int) else str(value)
