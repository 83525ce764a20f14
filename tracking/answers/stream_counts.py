"""What a stream has counted so far, put together in the shape of an answer that is no stream."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from tracking.answers.fields import Fields, fields_of, listed
from tracking.answers.shapes.bedrock import METRICS
from tracking.answers.shapes.everyones import TABLES

_NUMBERS = frozenset(
    place[0]
    for table in TABLES
    if not table.root
    for count in table.counts
    for place in count.places
    if len(place) == 1 and isinstance(place[0], str)
)
"""The counts that stand at the top of an answer: Llama's, Titan's, Ollama's."""

_GROUPS = frozenset((METRICS, "meta", "metrics"))
"""The groups of counts that stand there beside `usage`."""

_AT_THE_TOP = _NUMBERS | _GROUPS | {"results"}

_OUTPUT_WORDS = ("output", "completion", "candidate", "thought", "generat", "reasoning", "response", "eval_count")


class StreamCounts:
    """The counts of the chunks, by the name of the field they stand in."""

    def __init__(self) -> None:
        self.body: Mapping[str, Any] = {}
        """Never changed in place: whoever holds it holds what was counted by then."""
        self.merged: dict[str, Any] = {}
        """Of what was replaced, everything that was ever said."""

    def __bool__(self) -> bool:
        return bool(self.body)

    def keep(self, name: str, said: object) -> bool:
        """Counts are cumulative: a later one replaces an earlier one (ccusage#938), a later zero does not."""
        if (fields_of(said) or None) is None and not isinstance(said, int | float):
            return False
        self._set(name, _later(self.body.get(name), said))
        return True

    def replace(self, name: str, said: object) -> bool:
        """A snapshot that is whole: what it lacks is no longer said."""
        if not (fields := fields_of(said)):
            return False
        self._set(name, dict(fields))
        self.merged[name] = {**self.merged.get(name, {}), **{each: value for each, value in fields.items() if value}}
        return True

    def add(self, name: str, said: object) -> bool:
        """Counts of this chunk alone."""
        if not (fields := fields_of(said)):
            return False
        self._set(name, _sum_of(self.body.get(name, {}), fields))
        return True

    def _set(self, name: str, counts: object) -> None:
        self.body = {**self.body, name: counts}

    def keep_top(self, chunk: Fields) -> tuple[bool, bool]:
        """The counts at the top of a chunk: whether there were any, and whether a group, which only the last one has.

        watsonx's stand in its only result.
        """
        if _AT_THE_TOP.isdisjoint(chunk):
            return False, False
        said = {name: value for name, value in chunk.items() if value is not None}
        kept = [self.keep(name, said[name]) for name in _NUMBERS & said.keys()]
        results = listed(said.get("results"))
        if len(results) == 1 and (result := fields_of(results[0])) and "generated_token_count" in result:
            self._set("results", [_later(next(iter(self.body.get("results", ())), None), result)])
            kept.append(True)
        grouped = [self.keep(name, said[name]) for name in _GROUPS & said.keys()]
        return any(kept), any(grouped)


def _later(before: Any, said: Any) -> Any:
    """What stands after a later word. Zeros are no word, unless something else of their direction is counted anew."""
    if said is None or (said == 0 and before):
        return before
    fields, earlier = fields_of(said), fields_of(before)
    if fields is None or earlier is None:
        return said if fields is None else dict(fields)
    told = {_direction(name) for name, value in fields.items() if value and not fields_of(value)}
    later = dict(earlier)
    for name, value in fields.items():
        spoken = type(value) in (int, float) and _direction(name) in told
        later[name] = value if spoken else _later(earlier.get(name), value)
    return later


@lru_cache(maxsize=1024)
def _direction(name: str) -> str:
    """Whether a count is of the input, of the output, or of both."""
    if "total" in name.lower():
        return "both"
    return "output" if any(word in name.lower() for word in _OUTPUT_WORDS) else "input"


def _sum_of(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    total = dict(earlier)
    for name, value in later.items():
        before = total.get(name)
        if isinstance(value, int) and isinstance(before, int):
            total[name] = before + value
        elif isinstance(value, Mapping) and isinstance(before, Mapping):
            total[name] = _sum_of(cast(Fields, before), cast(Fields, value))
        else:
            total[name] = value
    return total
