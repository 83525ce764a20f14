"""The extractors of genai-prices, compiled once per provider.

An extractor is a table of places (root, path, unit). All tables of a provider become one tree of names, so that an
answer is walked once, by what it holds. Which places held a count decides everything else, and is remembered: which
extractor is the right one, and which places add up to which unit.

Where several extractors fit, the one that reads the most places of the answer is the right one: a less specific one
reads the same totals and misses the parts. Only one that reads other totals than the extractor marked `default` gives
way to it: those are not billed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from tracking.answers.fields import Fields, fields_of, is_unset
from tracking.answers.own_extractors import LITELLM, OWN_EXTRACTORS, OwnExtractor
from tracking.errors import ResponseError
from tracking.money import EXACT
from tracking.usage import CATALOGUE_UNITS, MAX_COUNT, TOKEN_COUNTS, Quantity, Usage, as_quantity, parts_fit

if TYPE_CHECKING:
    from genai_prices.types import Provider, UsageExtractor

    Extractor = UsageExtractor | OwnExtractor

_SET_COUNT: list[tuple[int, Any]] = [(i, Usage.__dict__[column].__set__) for i, column in enumerate(TOKEN_COUNTS)]
_SET_OTHERS: Any = Usage.__dict__["other_units"].__set__
_WHOLE_OR_NONE = frozenset({int, type(None)})
_REMEMBERED_PLANS = 1024

Counts = dict[int, Quantity]
"""What was found, by the bit of its place: the sum of the keys says which places held a count."""


@dataclass(slots=True, eq=False)
class _Node:
    """One name of the tree: a place with a count, the way to others, or both."""

    bit: int = 0
    path: str = ""
    only_inner: bool = False
    inner: "dict[str, _Node]" = field(default_factory=dict[str, "_Node"])
    items: "dict[tuple[str, str], _Node]" = field(default_factory=dict[tuple[str, str], "_Node"])
    """For a list: its first item whose field has this value (in lower case)."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to do with the counts of one set of places."""

    model_path: tuple[str, ...]
    firsts: tuple[int, ...]
    """The bit for each of `TOKEN_COUNTS`, or 0."""
    sums: tuple[tuple[int, tuple[int, ...]], ...]
    """Those of `TOKEN_COUNTS`, by index, that several places add up to."""
    others: tuple[tuple[str, int], ...]
    other_sums: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """One extractor, its places as bits."""

    flavor: str
    model_path: tuple[str, ...]
    places: int
    required: int
    bits_by_unit: Mapping[str, tuple[int, ...]]


class CompiledExtractors:
    """Every extractor of one provider, as one."""

    def __init__(self, provider: str, extractors: Iterable["Extractor"]) -> None:
        self.provider = provider
        self._tree = _Node()
        self._paths: dict[int, str] = {}
        self._tables = [self._compile(extractor) for extractor in extractors]
        _finish(self._tree)
        self._top = list(self._tree.inner.items())
        self._plans: dict[int, _Plan] = {}

    def read(self, answer: Fields) -> tuple[object, Usage]:
        """The model, where the answer names one, and the counts.

        Raises:
            ResponseError: no usage, or not in a shape this provider sends.
            UsageError: a count is not a non-negative number; its path and value are named.
        """
        found: Counts = {}
        for name, node in self._top:
            value = answer.get(name)
            if value is not None:
                _read_node(node, value, found)
        places = sum(found)
        plan = self._plans.get(places)
        if plan is None:
            plan = self._plan(places)
        model: object = answer
        for name in plan.model_path:
            fields = fields_of(model) or {}
            model = fields[name] if name in fields else fields.get(snake_case(name))
        return model, _usage(plan, found)

    def _compile(self, extractor: "Extractor") -> _Table:
        root = _steps(extractor.root)
        bits_by_unit: dict[str, tuple[int, ...]] = {}
        places = required = 0
        for mapping in extractor.mappings:
            node = self._place((*root, *_steps(mapping.path)))
            bits_by_unit[mapping.dest] = (*bits_by_unit.get(mapping.dest, ()), node.bit)
            places |= node.bit
            required |= node.bit if mapping.required else 0
        model_path = tuple(step for step in _steps(extractor.model_path) if isinstance(step, str))
        return _Table(extractor.api_flavor, model_path, places, required, bits_by_unit)

    def _place(self, path: Sequence[Any]) -> _Node:
        node = self._tree
        for step in path:
            if isinstance(step, str):
                node = node.inner.setdefault(step, _Node())
            else:
                node = node.items.setdefault((step.field, step.match.equals.lower()), _Node())
        if not node.bit:
            node.bit = 1 << len(self._paths)
            node.path = ".".join(step for step in path if isinstance(step, str))
            self._paths[node.bit] = node.path
        return node

    def _plan(self, places: int) -> _Plan:
        fitting = [table for table in self._tables if places & table.places and not table.required & ~places]
        if not fitting:
            raise ResponseError(f"no usage in this answer of provider {self.provider!r}: {self._missing(places)}")
        billed = next((places & table.places for table in fitting if table.flavor == "default"), 0)
        fitting = [table for table in fitting if not billed & ~table.places]
        chosen = max(fitting, key=lambda table: ((places & table.places).bit_count(), table.flavor == "default"))
        present = {
            unit: held
            for unit, bits in chosen.bits_by_unit.items()
            if (held := tuple(bit for bit in bits if bit & places))
        }
        columns = [present.pop(unit, ()) for unit in CATALOGUE_UNITS]
        plan = _Plan(
            model_path=chosen.model_path,
            firsts=tuple(bits[0] if bits else 0 for bits in columns),
            sums=tuple((index, bits) for index, bits in enumerate(columns) if len(bits) > 1),
            others=tuple((unit, bits[0]) for unit, bits in present.items() if len(bits) == 1),
            other_sums=tuple((unit, bits) for unit, bits in present.items() if len(bits) > 1),
        )
        if len(self._plans) >= _REMEMBERED_PLANS:
            self._plans.clear()
        self._plans[places] = plan
        return plan

    def _missing(self, places: int) -> str:
        needs = [
            ", ".join(path for bit, path in self._paths.items() if bit & table.required & ~places)
            or next(iter(self._paths.values()))
            for table in self._tables
        ]
        return "; or ".join(dict.fromkeys(f"{need} missing" for need in needs))


FOR_ANYONE = {
    "openai": ("chat", "responses", "realtime", "images", "embeddings"),
    "anthropic": ("default",),
    "google": ("default",),
    "aws": ("default",),
    "cohere": ("default",),
}
"""The interfaces that hosts unknown to the catalogue answer by, as their makers' extractors read them."""


def compile_extractors(
    provider: str, find: "Callable[[str], Provider | None]", dialect: str | None = None
) -> CompiledExtractors:
    """A provider's extractors, ours, and OpenAI's chat completions where it has none for these: all speak them too."""
    if dialect == LITELLM:
        return CompiledExtractors(
            provider, [*OWN_EXTRACTORS[LITELLM], *_of(find, "openai", "responses", "embeddings", "images")]
        )
    if (known := find(provider)) is None:
        return CompiledExtractors(
            provider, [each for named in FOR_ANYONE.items() for each in _of(find, named[0], *named[1])]
        )
    extractors: list[Extractor] = [*(known.extractors or ()), *OWN_EXTRACTORS.get(provider, ())]
    if not any(mapping.path == "prompt_tokens" for extractor in extractors for mapping in extractor.mappings):
        extractors += _of(find, "openai", "chat", "embeddings")
    return CompiledExtractors(provider, extractors)


def _of(find: "Callable[[str], Provider | None]", provider: str, *flavors: str) -> "list[UsageExtractor]":
    found = find(provider)
    return [each for each in (found and found.extractors) or () if each.api_flavor in flavors]


def _steps(path: Any) -> list[Any]:
    return [path] if isinstance(path, str) else list(path)


def snake_case(name: str) -> str:
    """`usageMetadata` as SDKs name the attribute: `usage_metadata`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _finish(node: _Node) -> None:
    """SDK objects name a camelCase field in snake_case; a name that means something else in its place keeps that."""
    for name, child in list(node.inner.items()):
        node.inner.setdefault(snake_case(name), child)
        _finish(child)
    for item in node.items.values():
        _finish(item)
    node.only_inner = not node.bit and not node.items


def _walk(inner: dict[str, _Node], fields: Fields, found: Counts) -> None:
    for name, value in fields.items():
        if value is not None and (node := inner.get(name)) is not None:
            if type(value) is int and node.bit and 0 <= value <= MAX_COUNT:
                found[node.bit] = value
            elif node.only_inner and type(value) is dict:
                _walk(node.inner, value, found)  # pyright: ignore[reportUnknownArgumentType]
            else:
                _read_node(node, value, found)


def _read_node(node: _Node, value: object, found: Counts) -> None:
    if node.items:
        _walk_items(node, value, found)
    elif node.inner and (fields := fields_of(value)) is not None:
        _walk(node.inner, fields, found)
    elif node.bit and not is_unset(value):
        found[node.bit] = as_quantity(node.path, value)


def _walk_items(node: _Node, value: object, found: Counts) -> None:
    if not isinstance(value, list | tuple):
        return
    items = [fields for item in cast("Sequence[object]", value) if (fields := fields_of(item))]
    remaining = dict(node.items)
    for fields in items:
        for key in [key for key in remaining if _has(fields, *key)]:
            _walk(remaining.pop(key).inner, fields, found)


def _has(fields: Fields, name: str, wanted: str) -> bool:
    value = fields.get(name)
    return isinstance(value, str) and value.lower() == wanted


def _total(counts: list[Quantity]) -> Quantity:
    if all(type(count) is int for count in counts):
        return sum(counts)
    total = Decimal(0)
    for count in counts:
        total = EXACT.add(total, Decimal(count))
    return total


def _usage(plan: _Plan, found: Counts) -> Usage:
    """The counts as `Usage`; what is plainly right skips its checks, everything else meets them."""
    counts = list(map(found.get, plan.firsts))
    for index, bits in plan.sums:
        counts[index] = _total([found[bit] for bit in bits])
    others = {unit: found[bit] for unit, bit in plan.others}
    for unit, bits in plan.other_sums:
        others[unit] = _total([found[bit] for bit in bits])
    if not _plainly_right(counts):
        return Usage(**cast(Any, dict(zip(TOKEN_COUNTS, counts, strict=True))), other_units=others)
    usage = object.__new__(Usage)
    for index, set_count in _SET_COUNT:
        set_count(usage, counts[index])
    _SET_OTHERS(usage, others)
    return usage


def _plainly_right(counts: list[Quantity | None]) -> bool:
    """Whether all are whole numbers in range and no part exceeds its whole."""
    if not _WHOLE_OR_NONE.issuperset(map(type, counts)):
        return False
    whole, output = counts[0], counts[4]
    return (whole or 0) <= MAX_COUNT and (output or 0) <= MAX_COUNT and parts_fit(counts)
