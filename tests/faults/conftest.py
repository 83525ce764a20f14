"""Each fault test keeps a tally; a long run ends with a table of them all."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from operator import itemgetter
from typing import Any

import pytest
from books import LONG, Tally
from rich.console import Console
from rich.markup import escape
from rich.table import Table


@pytest.fixture
def tally(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """What became of the rows; named after its test, clean at its end."""
    tally = Tally(request.node.name.removeprefix("test_").replace("_", " "))
    yield tally
    record_property("tally", asdict(tally))
    tally.assert_clean()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not LONG:
        return
    reports = [report for each in terminalreporter.stats.values() for report in each]
    tallies = [value for report in reports for name, value in getattr(report, "user_properties", ()) if name == "tally"]
    table = Table(*Tally.__dataclass_fields__, title="Faults", title_justify="left", title_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for tally in sorted({tally["fault"]: tally for tally in tallies}.values(), key=itemgetter("fault")):
        table.add_row(*(escape(value) if isinstance(value, str) else f"{value:,}" for value in tally.values()))
    console = Console()
    console.width = max(console.width, console.measure(table, options=console.options.update(width=200)).maximum)
    console.print(table)
