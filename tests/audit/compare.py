"""What is published beside what was recomputed: every cell, and a table of how many and how many differ."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from tests.audit.rows import Row

NEAR = 1e-9
"""Of ratios alone, which are DOUBLE: sums of them come in another order. Money and counts are compared exactly."""

SHOWN = 5


@dataclass(frozen=True)
class Recomputed:
    """What a relation should hold. `key` names what tells its rows apart, `left_out` the columns not recomputed."""

    relation: str
    key: tuple[str, ...]
    rows: list[Row]
    left_out: tuple[str, ...] = ()
    apart: float = 1e-15
    """How far a DOUBLE may be off, beside its last digits."""


@dataclass
class Comparison:
    relation: str
    rows: int = 0
    cells: int = 0
    differences: list[str] = field(default_factory=list[str])
    left_out: tuple[str, ...] = ()


def compare(published: Sequence[Row], expected: Recomputed) -> Comparison:
    """Every cell of every row of both; a row that only one side has is one difference."""
    result = Comparison(expected.relation, len(published), left_out=expected.left_out)
    here, there = _by_key(published, expected, result), _by_key(expected.rows, expected, result)
    for key in sorted({**here, **there}, key=repr):
        if key not in here or key not in there:
            result.differences.append(f"{_shown(expected, key)}: only {'published' if key in here else 'recomputed'}")
            continue
        for name in sorted({*here[key], *there[key]} - {*expected.left_out}):
            result.cells += 1
            missing = object()
            one, other = here[key].get(name, missing), there[key].get(name, missing)
            if one is missing or other is missing:
                side = "published" if other is missing else "recomputed"
                result.differences.append(f"{_shown(expected, key)}: {name} is only {side}")
            elif not is_same(one, other, expected.apart):
                result.differences.append(f"{_shown(expected, key)}: {name} is {one!r}, recomputed {other!r}")
    return result


def _by_key(rows: Iterable[Row], expected: Recomputed, result: Comparison) -> dict[tuple[Any, ...], Row]:
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(_plain(row[name]) for name in expected.key)
        if key in found:
            result.differences.append(f"{_shown(expected, key)}: more than once")
        found[key] = row
    return found


def _plain(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _shown(expected: Recomputed, key: tuple[Any, ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(expected.key, key, strict=True))


def is_same(one: Any, other: Any, apart: float) -> bool:
    """NULL is not zero; a DOUBLE is the same within a billionth, all else exactly."""
    if one is None or other is None:
        return one is other
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(float(one), float(other), rel_tol=NEAR, abs_tol=apart)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(_plain(one) == _plain(other))


def published_rows(warehouse: Path, relations: Iterable[str], as_of: datetime | None = None) -> dict[str, list[Row]]:
    """By relation, what it holds; of the form that takes an instant, what it says of that one."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        found: dict[str, list[Row]] = {}
        for relation in relations:
            if as_of is None:
                result = connection.execute(f'from "{relation}"')
            else:
                result = connection.execute(f"from \"{relation}\"(timestamptz '{as_of.isoformat()}')")
            names = [column[0] for column in result.description]
            found[relation] = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        return found


def published_relations(warehouse: Path) -> list[str]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        query = "select table_name from information_schema.tables where table_schema = 'main' order by 1"
        # Staging renames what the ledger says, and adds nothing up.
        return [name for (name,) in connection.execute(query).fetchall() if not name.startswith("stg_")]


def report(comparisons: Iterable[Comparison], relations: Iterable[str]) -> str:
    """A line a relation, its first differences below it; then what nothing was compared of."""
    by_relation: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        by_relation.setdefault(comparison.relation, []).append(comparison)
    lines = [f"{'relation':<30}{'rows':>9}{'cells':>11}{'differences':>13}"]
    totals: Counter[str] = Counter()
    for relation, several in sorted(by_relation.items()):
        differences = [text for one in several for text in one.differences]
        counts = {"rows": sum(one.rows for one in several), "cells": sum(one.cells for one in several)}
        totals.update(counts | {"differences": len(differences)})
        lines.append(f"{relation:<30}{counts['rows']:>9,}{counts['cells']:>11,}{len(differences):>13,}")
        lines += [f"    {text}" for text in differences[:SHOWN]]
        if several[0].left_out:
            lines.append(f"    not recomputed: {', '.join(several[0].left_out)}")
    lines.append(f"{'all':<30}{totals['rows']:>9,}{totals['cells']:>11,}{totals['differences']:>13,}")
    lines.append(f"not covered: {', '.join(sorted({*relations} - {*by_relation})) or 'none'}")
    return "\n".join(lines)
