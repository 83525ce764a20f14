import base64
from decimal import Decimal
from xml.etree import ElementTree

import dagster as dg
import pytest

from dagster_project.lib.charts import bar_chart, column_chart

SHOWN_AT_ONCE = 1000
"""Characters: the UI puts longer Markdown behind a click."""


def drawing(chart: dg.MarkdownMetadataValue | None) -> ElementTree.Element:
    assert chart is not None
    assert len(chart.value) < SHOWN_AT_ONCE
    return ElementTree.fromstring(base64.b64decode(chart.value.split("base64,")[1].removesuffix(")")))


def texts(svg: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in svg.iter("{http://www.w3.org/2000/svg}text")]


def test_a_month_is_short_enough_to_be_shown_at_once() -> None:
    days = [(f"2026-11-{day:02}", Decimal(day) * Decimal("1234.567890123456")) for day in range(1, 31)]
    svg = drawing(column_chart("USD by reporting_date", days))
    assert texts(svg) == ["USD by reporting_date, highest 37,037", "2026-11-01 to 2026-11-30"]


def test_of_a_longer_course_the_last_month_is_shown() -> None:
    days = [(f"day {day}", day) for day in range(1, 400)]
    assert texts(drawing(column_chart("USD", days)))[1] == "day 369 to day 399"


def test_the_highest_column_is_as_high_as_there_is_room_and_the_others_in_proportion() -> None:
    svg = drawing(column_chart("USD", [("a", 50), ("b", 100), ("c", 0), ("d", -5)]))
    path = next(svg.iter("{http://www.w3.org/2000/svg}path")).attrib["d"]
    assert [part.split("v-")[1] for part in path.split("M")[1:]] == ["40", "80", "0", "0"]


def test_the_longest_bar_fills_what_labels_leave_and_the_others_are_in_proportion() -> None:
    svg = drawing(bar_chart("USD", [("a", 100), ("b", 50), ("c", -5)]))
    path = next(svg.iter("{http://www.w3.org/2000/svg}path")).attrib["d"]
    starts, lengths = zip(*(part.split("h") for part in path.split("M")[1:]), strict=True)
    assert lengths == ("380", "190", "0")
    assert {start.split()[0] for start in starts} == {f"{int(svg.attrib['width']) - 380}"}


def test_names_are_text_and_never_markup() -> None:
    svg = drawing(
        bar_chart(
            "USD by llm", [("<script>&", Decimal(2)), *[(f"claude-sonnet-4-5-20250929-{n}", n) for n in range(20)]]
        )
    )
    assert texts(svg)[1] == "<script>&: 2"
    assert len(texts(svg)) == 8


@pytest.mark.parametrize("bars", [[], [("a", Decimal(0))], [("a", Decimal(-1))]])
def test_where_there_is_nothing_to_see_there_is_no_chart(bars: list[tuple[str, Decimal]]) -> None:
    assert column_chart("USD", bars) is None
    assert bar_chart("USD", bars) is None
