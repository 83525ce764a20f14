"""The days that the page is about."""

from dataclasses import dataclass
from datetime import date, timedelta

MOST_COLUMNS = 100
"""Of the chart: beyond so many days it shows weeks, then months, and beyond as many years only those with calls."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the reporting time zone, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def step(self) -> str:
        """What a column of the chart stands for, so that there are not too many."""
        if self.days <= MOST_COLUMNS:
            return "day"
        return "week" if self.days <= 7 * MOST_COLUMNS else "month"

    @property
    def before(self) -> "Period | None":
        """As many days, right before these; `None` where the calendar does not reach back so far."""
        if self.first.toordinal() <= self.days:
            return None
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))
