"""What `cost_movers` must come to, from the costs of days."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise


def expected_changes(period: str, days: dict[date, Decimal], last: date, last_with_calls: date) -> dict[date, Decimal]:
    """Each period's cost less that of the one before, by its start; of whole days, up to the `last`."""
    starts = sorted({start_of(period, day) for day in [*days, min(last, last_with_calls)]})
    not_over = start_of(period, last + timedelta(days=1))
    expected: dict[date, Decimal] = {}
    nothing = Decimal(0)
    for earlier, later in pairwise(starts if period == "month" else weeks(starts)):
        until = earlier + (last - later) if later == not_over else date.max
        now = sum((cost for day, cost in days.items() if start_of(period, day) == later), nothing)
        expected[later] = now - sum(
            (cost for day, cost in days.items() if start_of(period, day) == earlier and day <= until), nothing
        )
    return expected


def start_of(period: str, day: date) -> date:
    return day.replace(day=1) if period == "month" else day - timedelta(days=day.weekday())


def weeks(starts: list[date]) -> list[date]:
    return [starts[0] + timedelta(weeks=number) for number in range((starts[-1] - starts[0]).days // 7 + 1)]
