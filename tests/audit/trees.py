"""What belongs to what, as the rows say it: the top of each thing's tree, and the assignment it counts for.

The rule is that of docs/reports.md, "What a thing costs".
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from tests.audit.rows import Row, grouped

Thing = tuple[str, str]


class Place(NamedTuple):
    """`above` is the thing itself and what it belongs to, each once, upwards."""

    above: tuple[Thing, ...]
    root: Thing
    assignment: str | None


class Trees:
    """The parent that each thing of each tenant was last said to have up to a UTC day."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._parents: dict[tuple[str | None, Thing], list[tuple[date, Thing]]] = {}
        self._places: dict[tuple[str | None, Thing, date], Place] = {}
        named = [row for row in rows if row["holder"] != row["thing"]]
        for key, said in grouped(named, lambda row: (row["tenant"], row["thing"])).items():
            days = grouped(said, lambda row: row["usage_date"])
            self._parents[key] = [(day, _last_said(days[day])) for day in sorted(days)]

    def parent(self, tenant: str | None, thing: Thing, day: date) -> Thing | None:
        said = self._parents.get((tenant, thing))
        if said is None:
            return None
        return said[max(bisect_right([first for first, _ in said], day) - 1, 0)][1]

    def place(self, row: Row) -> Place:
        """Where what holds a row's thing has its place on the row's day."""
        key = (row["tenant"], row["holder"], row["usage_date"])
        if key not in self._places:
            self._places[key] = self._find(*key)
        return self._places[key]

    def assignment(self, row: Row) -> str | None:
        own = row["trackable_id"] if row["trackable_type"] == "Assignment" else None
        return self.place(row).assignment or own

    def things(self, row: Row) -> set[Thing]:
        """Everything that the cost of a row is the cost of."""
        return {row["thing"], *self.place(row).above}

    def _find(self, tenant: str | None, holder: Thing, day: date) -> Place:
        above, top = [holder], None
        while (parent := self.parent(tenant, above[-1], day)) is not None:
            if parent in above:
                top = above.index(parent)
                break
            above.append(parent)
        # Things in a circle are all at the top.
        heights = {thing: min(height, len(above) if top is None else top) for height, thing in enumerate(above)}
        root = min(above, key=lambda thing: (-heights[thing], thing))
        assignments = [thing for thing in above if thing[0] == "Assignment"]
        outermost = min(assignments, key=lambda thing: (-heights[thing], thing), default=(None, None))
        return Place(tuple(above), root, outermost[1])


def _last_said(rows: list[Row]) -> Thing:
    latest = max(row["occurred_at"] for row in rows)
    return min(row["holder"] for row in rows if row["occurred_at"] == latest)
