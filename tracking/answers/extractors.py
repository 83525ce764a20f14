"""The tables of genai-prices and ours, compiled once per provider.

A table says where one kind of answer holds its counts. All tables of a provider become one tree of names, so that an
answer is walked once, by what it holds. Which places held a count decides everything else, and is remembered: which
table is the right one, and which places add up to which unit.

The catalogue's own tables of a provider come first; each is extended by what ours of the same shape reads besides, and
after them come the tables of every other shape. Where several fit, the one that reads the most places of the answer is
the right one: a less specific one reads the same totals and misses the parts. Only one that reads other totals than
the table the catalogue marks `default` gives way to it: those are not billed.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from tracking.answers.fields import Fields, fields_of, seen_in
from tracking.answers.places import CountsByPlace, PlaceTree, snake_case
from tracking.answers.shapes.everyones import TABLES, cached_apart
from tracking.answers.shapes.tables import Count, Item, MoreUnits, Place, Table
from tracking.answers.totals import OF_KINDS, READ, Counts, Statement, reconciled
from tracking.assumptions import Assumption
from tracking.errors import ResponseError
from tracking.money import EXACT
from tracking.usage import CATALOGUE_UNITS, MAX_COUNT, TOKEN_COUNTS, Quantity, Usage, as_count, parts_fit

if TYPE_CHECKING:
    from genai_prices.types import Provider, UsageExtractor

_SET_SENT, _SET_READ, _SET_WRITTEN, _SET_WRITTEN_1H, _SET_MADE, _SET_REASONING = (
    Usage.__dict__[column].__set__ for column in TOKEN_COUNTS
)
_SET_OTHERS: Any = Usage.__dict__["other_units"].__set__
_REMEMBERED_PLANS = 1024

Terms = tuple[tuple[int, ...], ...]
"""The bits that add up to a unit; those of one term are one count by several names, of which the largest counts."""

Read = tuple[object, Usage, tuple[Assumption, ...], Table]
"""The model, where an answer names one; its counts; what of them is an assumption; and the table they were read by."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to do with the counts of one set of places."""

    table: Table
    more: MoreUnits | None
    waived: Callable[[Fields], bool] | None
    model_in: tuple[str, ...]
    model_name: str
    model_attribute: str
    """The model's name as SDK objects spell the field."""
    total: int
    firsts: tuple[int, ...]
    """The bit for each of `TOKEN_COUNTS`, or 0."""
    sums: tuple[tuple[int, Terms], ...]
    """Those of `TOKEN_COUNTS`, by index, that take more than one place."""
    others: tuple[tuple[str, int], ...]
    other_sums: tuple[tuple[str, Terms], ...]
    reasoning_added: Terms
    """The terms of the output that are its reasoning."""
    kinds: tuple[tuple[int, tuple[str, ...]], ...]
    """The units among `others` that a whole divides into by kind, with the whole's place in `TOKEN_COUNTS`."""
    cached_kinds: tuple[tuple[str, str], ...]
    """Of a kind, what was cached and what was sent."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """One table, its places as bits."""

    table: Table
    default: bool
    places: int
    own_places: int
    """Those that the catalogue reads."""
    required: int
    total: int
    terms: Mapping[str, Terms]


class CompiledExtractors:
    """Every table of one provider, as one."""

    def __init__(self, provider: str, known: "Provider | None" = None) -> None:
        self.provider = provider
        self._tree = PlaceTree()
        self._tables: list[_Compiled] = []
        for extractor in (known and known.extractors) or ():
            own = _table_of(extractor)
            self._compile(_extended(own, provider), own, extractor.api_flavor == "default")
        for table in TABLES:
            if not table.only_of or provider in table.only_of:
                self._compile(table)
        self._tree.finish()
        self._plans: dict[int, _Plan] = {}
        self._grows_to_cached = provider == "x-ai"

    def named(self, provider: str) -> "CompiledExtractors":
        """The same, of a provider of another name."""
        other = copy(self)
        other.provider = provider
        return other

    def read(self, answer: Fields, model: str | None = None) -> Read:
        """The model, where the answer names one, and the counts. `model` is who answered where it does not.

        Raises:
            ResponseError: no usage in any shape known; the names of what it has are told.
            UsageError: a count is not a non-negative number; its path and value are named.
        """
        by_place = self._tree.read(answer)
        places = sum(by_place)
        plan = self._plans.get(places) or self._plan(places, answer)
        naming = answer
        for name in plan.model_in:
            naming = fields_of(naming.get(name)) or {}
        own_model: object = naming.get(plan.model_name)
        if own_model is None:
            own_model = naming.get(plan.model_attribute)
        if type(own_model) is str:
            model = own_model
        counts: list[Any] = list(map(by_place.get, plan.firsts))
        for index, terms in plan.sums:
            counts[index] = _total(terms, by_place)
        others: Counts = {}
        for unit, bit in plan.others:
            others[unit] = by_place[bit]
        for unit, terms in plan.other_sums:
            others[unit] = _total(terms, by_place)
        if plan.waived is not None and plan.waived(answer):
            counts, others = [None if count is None else 0 for count in counts], {}
        elif plan.more is not None and (more := plan.more(answer, model)):
            _add(more, counts, others)
        usage = _plain_usage(counts, by_place.get(plan.total), others)
        if usage is not None and (not others or _kinds_fit(plan, counts, others)):
            return own_model, usage, (), plan.table
        return own_model, *self._reconciled(plan, by_place, counts, others, model), plan.table

    def _reconciled(
        self, plan: _Plan, by_place: CountsByPlace, counts: list[Quantity | None], others: Counts, model: str | None
    ) -> tuple[Usage, tuple[Assumption, ...]]:
        for name, count in zip(TOKEN_COUNTS, counts, strict=True):
            if count is not None:
                as_count(name, count)
        by_unit = others | {unit: n for unit, n in zip(CATALOGUE_UNITS, counts, strict=True) if n is not None}
        statement = Statement(
            total=by_place.get(plan.total),
            reasoning_added=_total(plan.reasoning_added, by_place) if plan.reasoning_added else 0,
            cached_apart=(*plan.table.cached_apart, *cached_apart(model)),
            hides_output=plan.table.hides_output or "gemini" in (model or ""),
            grows_to_cached=self._grows_to_cached,
        )
        fitted, assumptions = reconciled(by_unit, statement)
        columns = {name: fitted.pop(unit, None) for name, unit in zip(TOKEN_COUNTS, CATALOGUE_UNITS, strict=True)}
        return Usage(**cast(Any, columns), other_units=fitted), assumptions

    def _compile(self, table: Table, own: Table | None = None, default: bool = False) -> None:
        terms: dict[str, Terms] = {}
        places = required = 0
        for count in table.counts:
            bits = tuple(self._tree.bit((*table.root, *place)) for place in count.places)
            terms[count.unit] = (*terms.get(count.unit, ()), bits)
            places |= sum(bits)
            required |= bits[0] if count.required else 0
        read_by_own = (place for count in own.counts for place in count.places) if own else ()
        self._tables.append(
            _Compiled(
                table=table,
                default=default,
                places=places,
                own_places=sum({self._tree.bit((*table.root, *place)) for place in read_by_own}),
                required=required,
                total=self._tree.bit((*table.root, *table.total)) if table.total else 0,
                terms=terms,
            )
        )

    def _plan(self, places: int, answer: Fields) -> _Plan:
        fitting = [each for each in self._tables if places & each.places and not each.required & ~places]
        if not fitting:
            raise ResponseError(
                f"no usage in a shape known here in this answer of provider {self.provider!r}: {seen_in(answer)}"
            )
        billed = next((places & each.own_places for each in fitting if each.default), 0)
        fitting = [each for each in fitting if not billed & ~each.places]
        best = max(fitting, key=lambda each: ((places & each.places).bit_count(), each.default))
        present = {unit: held for unit, terms in best.terms.items() if (held := _held(terms, places))}
        reasoning = set(present.get("output_reasoning_tokens", ()))
        reasoning_terms = tuple(term for term in present.get("output_tokens", ()) if term in reasoning)
        kinds = {whole: tuple(unit for unit in units if unit in present) for whole, units in OF_KINDS.items()}
        columns = [present.pop(unit, ()) for unit in CATALOGUE_UNITS]
        plan = _Plan(
            table=best.table,
            more=best.table.more,
            waived=best.table.waived,
            model_in=best.table.model[:-1],
            model_name=best.table.model[-1],
            model_attribute=snake_case(best.table.model[-1]),
            total=best.total,
            firsts=tuple(next((bits[0] for bits in terms), 0) for terms in columns),
            sums=tuple((index, terms) for index, terms in enumerate(columns) if not _is_single(terms)),
            others=tuple((unit, sum(terms[0])) for unit, terms in present.items() if _is_single(terms)),
            other_sums=tuple((unit, terms) for unit, terms in present.items() if not _is_single(terms)),
            reasoning_added=reasoning_terms if len(columns[4]) > 1 else (),
            kinds=tuple((CATALOGUE_UNITS.index(whole), held) for whole, held in kinds.items() if held),
            cached_kinds=tuple((unit, unit.replace("cache_", "input_").replace("_read", "")) for unit in kinds[READ]),
        )
        if len(self._plans) >= _REMEMBERED_PLANS:
            self._plans.clear()
        self._plans[places] = plan
        return plan


def _table_of(extractor: "UsageExtractor") -> Table:
    """One of genai-prices' extractors as a table."""
    counts = [Count(each.dest, (_steps(each.path),), each.required) for each in extractor.mappings]
    model = tuple(step for step in _steps(extractor.model_path) if isinstance(step, str))
    return Table(extractor.api_flavor, _steps(extractor.root), tuple(counts), model=model)


def _extended(own: Table, provider: str) -> Table:
    """A table of the catalogue's with what ours of the same shape reads besides: other names, further units, total."""
    own_places = {place for count in own.counts for place in count.places}
    alike = [each for each in TABLES if each.root == own.root and (not each.only_of or provider in each.only_of)]
    shape = max(
        alike, key=lambda each: (len(own_places & _places(each)), -len(each.counts), bool(each.only_of)), default=None
    )
    if shape is None or not own_places & _places(shape):
        return own
    names = {place: count.places for count in shape.counts for place in count.places}
    counts = [Count(each.unit, names.get(each.places[0], each.places), each.required) for each in own.counts]
    units, begun = {each.unit for each in own.counts}, set[str]()
    for count in shape.counts:
        further = count.unit in begun
        begun.add(count.unit)
        if own_places.isdisjoint(count.places) and (further or count.unit not in units):
            counts.append(replace(count, required=False))
    return replace(shape, name=own.name, root=own.root, counts=tuple(counts), model=own.model)


def _places(table: Table) -> set[Place]:
    return {place for count in table.counts for place in count.places}


def _steps(path: Any) -> Place:
    steps: list[Any] = [path] if isinstance(path, str) else list(path)
    return tuple(step if isinstance(step, str) else Item(step.field, step.match.equals.lower()) for step in steps)


def _held(terms: Terms, places: int) -> Terms:
    """Of the terms of a unit, those that hold a count."""
    held = (tuple(bit for bit in term if bit & places) for term in terms)
    return tuple(term for term in held if term)


def _is_single(terms: Terms) -> bool:
    return sum(len(term) for term in terms) <= 1


def _total(terms: Terms, by_place: CountsByPlace) -> Quantity:
    total: Quantity = 0
    for term in terms:
        count = by_place[term[0]] if len(term) == 1 else max(map(by_place.__getitem__, term))
        whole = type(count) is int and type(total) is int
        total = total + count if whole else EXACT.add(Decimal(total), Decimal(count))
    return total


def _add(more: Mapping[str, Quantity], counts: list[Quantity | None], others: Counts) -> None:
    for unit, count in more.items():
        if unit in CATALOGUE_UNITS:
            index = CATALOGUE_UNITS.index(unit)
            counts[index] = (counts[index] or 0) + count
        else:
            others[unit] = others.get(unit, 0) + count


def _plain_usage(counts: Sequence[Quantity | None], total: Quantity | None, others: Counts) -> Usage | None:
    """Counts that are plainly right as `Usage`, without its checks; else `None`.

    They are where all are whole numbers in range, no part exceeds its whole, and both wholes make up the total.
    """
    input_tokens, cache_read, cache_write, cache_write_1h, output_tokens, reasoning = counts
    both = (input_tokens or 0) + (output_tokens or 0)
    parts = (cache_read or 0) + (cache_write or 0) + (cache_write_1h or 0) + (reasoning or 0)
    if type(both) is not int or type(parts) is not int:  # one decimal would make the sum one
        return None
    if (total is not None and total != both) or both > MAX_COUNT or not parts_fit(counts):
        return None
    usage = object.__new__(Usage)
    _SET_SENT(usage, input_tokens)  # in a loop it takes 0.4 µs more
    _SET_READ(usage, cache_read)
    _SET_WRITTEN(usage, cache_write)
    _SET_WRITTEN_1H(usage, cache_write_1h)
    _SET_MADE(usage, output_tokens)
    _SET_REASONING(usage, reasoning)
    _SET_OTHERS(usage, others)
    return usage


def _kinds_fit(plan: _Plan, counts: Sequence[Quantity | None], others: Counts) -> bool:
    """Whether tokens of a kind are plainly part of their whole, and cached ones are of kinds that are told."""
    if not any(others.values()):
        return True
    written_5m = others.get("cache_write_5m_tokens")
    if written_5m and written_5m + (counts[3] or 0) > (counts[2] or 0):
        return False
    for index, units in plan.kinds:
        parts = 0
        for unit in units:
            parts += others[unit]
        if parts > (counts[index] or 0):
            return False
        if not index and counts[1] and parts > others.get("input_text_tokens", 0):
            return False
    return all(others[cached] <= others.get(sent, 0) for cached, sent in plan.cached_kinds)
