"""Charts that Dagster's UI shows inside metadata: SVG in the text itself, so nothing is fetched from anywhere."""

import base64
from collections.abc import Sequence
from decimal import Decimal
from html import escape

import dagster as dg

Bars = Sequence[tuple[str, Decimal | int]]

WIDTH = 640
HEIGHT = 150
ROW = 20
LABELS = 190
"""Pixels for the names beside horizontal bars, and for the numbers behind them."""

# Readable on the light and on the dark theme.
BAR = "#6366f1"
TEXT = "#8b93a1"
FONT = "font-family='ui-sans-serif,system-ui,sans-serif' font-size='11'"


def column_chart(title: str, bars: Bars) -> dg.MarkdownMetadataValue | None:
    """One column for each label, in the order given: a course over time. `None` where there is nothing to draw."""
    highest = _highest(bars)
    if highest is None:
        return None
    width = Decimal(WIDTH) / len(bars)
    top, bottom = 22, HEIGHT - 18
    columns = [
        f"<rect x='{_px(width * index)}' y='{_px(bottom - height)}' width='{_px(width * Decimal('0.8'))}' "
        f"height='{_px(height)}' fill='{BAR}'><title>{escape(f'{label}: {value:,f}')}</title></rect>"
        for index, (label, value) in enumerate(bars)
        for height in [(bottom - top) * max(Decimal(value), Decimal(0)) / highest]
    ]
    texts = [
        _text(0, 12, f"{title}, highest {_rounded(highest)}"),
        _text(0, HEIGHT - 4, bars[0][0]),
        *([_text(WIDTH, HEIGHT - 4, bars[-1][0], anchor="end")] if len(bars) > 1 else []),
    ]
    return _markdown(title, HEIGHT, [*columns, *texts])


def bar_chart(title: str, bars: Bars) -> dg.MarkdownMetadataValue | None:
    """One bar below the other, in the order given: a comparison. `None` where there is nothing to draw."""
    highest = _highest(bars)
    if highest is None:
        return None
    room = WIDTH - 2 * LABELS
    rows = [
        _text(LABELS - 8, y + 14, label, anchor="end")
        + f"<rect x='{LABELS}' y='{y + 3}' width='{_px(width)}' height='{ROW - 6}' fill='{BAR}'/>"
        + _text(LABELS + int(width) + 6, y + 14, _rounded(Decimal(value)))
        for index, (label, value) in enumerate(bars)
        for y in [ROW * (index + 1)]
        for width in [room * max(Decimal(value), Decimal(0)) / highest]
    ]
    return _markdown(title, ROW * (len(bars) + 1), [_text(0, 12, title), *rows])


def _highest(bars: Bars) -> Decimal | None:
    """`None` where no bar would be seen."""
    highest = max((Decimal(value) for _, value in bars), default=Decimal(0))
    return highest if highest > 0 else None


def _markdown(title: str, height: int, elements: Sequence[str]) -> dg.MarkdownMetadataValue:
    # Raw SVG and <img> are taken out by the UI; an image of Markdown is shown.
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' viewBox='0 0 {WIDTH} {height}'>"
        f"{''.join(elements)}</svg>"
    )
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


def _text(x: int, y: int, text: str, *, anchor: str = "start") -> str:
    return f"<text x='{x}' y='{y}' text-anchor='{anchor}' fill='{TEXT}' {FONT}>{escape(text)}</text>"


def _px(value: Decimal) -> str:
    return f"{value:.1f}"


def _rounded(value: Decimal) -> str:
    """Four significant digits of a number that stands exactly beside the chart."""
    return f"{value:,.0f}" if value >= 10_000 else f"{value:,.4g}"
