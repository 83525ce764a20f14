"""Where the columns of a chart stand: plain geometry, in the units of the drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH = 960
HEIGHT = 220
LEFT = 56
BOTTOM = 22
HIGHEST = HEIGHT - BOTTOM - 8
"""The height of a column that reaches the top of the axis."""
LABEL_WIDTH = 64
LABELS = 8
"""Below the columns, at most."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column, and what is said of it."""

    x: float
    y: float
    width: float
    height: float
    label: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Tick:
    """A value of the axis, and its height."""

    value: Decimal
    y: float


@dataclass(frozen=True, slots=True)
class ColumnChart:
    """Columns over an axis from zero up to a round number; `labelled` are those with room for their label."""

    columns: list[Column]
    ticks: list[Tick]
    labelled: list[Column]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


def column_chart(bars: Sequence[tuple[str, Decimal]]) -> ColumnChart:
    """The chart of labelled amounts, in their order; one below zero (corrections outweigh their day) has no height."""
    top = round_above(max((value for _, value in bars), default=Decimal(0)))
    floor = HEIGHT - BOTTOM
    room = (WIDTH - LEFT) / max(len(bars), 1)
    columns: list[Column] = []
    for place, (label, value) in enumerate(bars):
        height = round(HIGHEST * float(max(value, Decimal(0)) / top), 2)
        columns.append(
            Column(round(LEFT + room * place, 2), floor - height, round(room * 0.8, 2), height, label, value)
        )
    every = -(-len(columns) // LABELS) or 1
    labelled = [column for column in columns[::every] if column.x + LABEL_WIDTH <= WIDTH]
    ticks = [Tick(top * share / 4, floor - HIGHEST * share / 4) for share in range(5)]
    return ColumnChart(columns, ticks, labelled or columns[:1])


def round_above(value: Decimal) -> Decimal:
    """The least of 1, 2, 4 and 8 times a power of ten that is not below `value`; 1 where that is not positive."""
    if value <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb(value.adjusted())
    return next(power * step for step in (1, 2, 4, 8, 10) if power * step >= value)
