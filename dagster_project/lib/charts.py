"""Charts that Dagster's UI shows inside metadata: SVG in the text itself, so nothing is fetched from anywhere.

The UI takes raw SVG out of Markdown, and shows an image of Markdown at once where the text is shorter than 1,000
characters; behind a click where it is longer. So everything here is short.
"""

import base64
from collections.abc import Sequence
from decimal import Decimal
from html import escape

import dagster as dg

Bars = Sequence[tuple[str, Decimal | int]]

WIDTH = 620
HEIGHT = 120
ROW = 18
LABELS = 240
COLUMNS = 31
ROWS = 7
"""As many as fit into a text that is shown at once: a month, and the largest few."""

# Readable on the light and on the dark theme.
BAR = "#6366f1"
TEXT = "#8b93a1"


def column_chart(title: str, bars: Bars) -> dg.MarkdownMetadataValue | None:
    """The last columns, in the order given: a course over time. `None` where there is nothing to draw."""
    bars = bars[-COLUMNS:]
    highest = _highest(bars)
    if highest is None:
        return None
    width = WIDTH // len(bars)
    lengths = [round((HEIGHT - 40) * max(Decimal(value), Decimal(0)) / highest) for _, value in bars]
    path = "".join(f"M{width * index + width // 2} {HEIGHT - 20}v-{length}" for index, length in enumerate(lengths))
    ends = bars[0][0] if len(bars) == 1 else f"{bars[0][0]} to {bars[-1][0]}"
    texts = [(12, f"{title}, highest {_rounded(highest)}"), (HEIGHT - 4, ends)]
    return _markdown(title, HEIGHT, path, max(width - width // 5, 1), texts)


def bar_chart(title: str, bars: Bars) -> dg.MarkdownMetadataValue | None:
    """The first bars, in the order given: a comparison. `None` where there is nothing to draw."""
    bars = bars[:ROWS]
    highest = _highest(bars)
    if highest is None:
        return None
    lengths = [round((WIDTH - LABELS) * max(Decimal(value), Decimal(0)) / highest) for _, value in bars]
    path = "".join(f"M{LABELS} {ROW * index + 26}h{length}" for index, length in enumerate(lengths))
    texts = [(12, title)] + [
        (ROW * index + 30, f"{label}: {_rounded(Decimal(value))}") for index, (label, value) in enumerate(bars)
    ]
    return _markdown(title, ROW * (len(bars) + 1), path, ROW - 4, texts)


def _highest(bars: Bars) -> Decimal | None:
    """`None` where no bar would be seen."""
    highest = max((Decimal(value) for _, value in bars), default=Decimal(0))
    return highest if highest > 0 else None


def _markdown(
    title: str, height: int, path: str, stroke: int, texts: list[tuple[int, str]]
) -> dg.MarkdownMetadataValue:
    lines = "".join(f"<text y='{y}'>{escape(text)}</text>" for y, text in texts)
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}'>"
        f"<path d='{path}' stroke='{BAR}' stroke-opacity='.5' stroke-width='{stroke}'/>"
        f"<g fill='{TEXT}' font-size='11' font-family='sans-serif'>{lines}</g></svg>"
    )
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


def _rounded(value: Decimal) -> str:
    """Four significant digits of a number that stands exactly beside the chart."""
    return f"{value:,.0f}" if value >= 10_000 else f"{value:,.4g}"
