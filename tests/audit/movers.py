"""What moved the cost from one week or month to the next, by the rule of docs/reports.md."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.audit.compare import Recomputed
from tests.audit.rows import Books, Row, grouped, months_later, next_start, start_of, total

CELL = ("provider", "llm", "request_type")


def recomputed(books: Books) -> Iterable[Recomputed]:
    rows = [row for period in ("week", "month") for row in _compared(books, period)]
    yield Recomputed("cost_movers", ("period", "period_start", *CELL), rows)


def _compared(books: Books, period: str) -> Iterable[Row]:
    last = books.today - timedelta(days=1)
    """Today is not over."""
    days = [row["reporting_date"] for row in books.rows]
    of_period = grouped(
        (row for row in books.rows if row["reporting_date"] <= last),
        lambda row: start_of(period, row["reporting_date"]),
    )
    begins, current = start_of(period, min(days)), start_of(period, last)
    start = next_start(period, begins)
    while start <= start_of(period, min(max(days), last)):
        previous = start - timedelta(days=7) if period == "week" else months_later(start, -1)
        end = next_start(period, start) - timedelta(days=1)
        so_far = (last - start).days + 1 if start == current and last < end else (start - previous).days
        compared = min(so_far, (start - previous).days)
        before = [row for row in of_period.get(previous, []) if (row["reporting_date"] - previous).days < compared]
        unknown = max((min(days) - previous).days, 0)
        for row in _cells(of_period.get(start, []), before):
            yield row | {
                "period": period,
                "period_start": start,
                "day_count": (min(end, last) - start).days + 1,
                "previous_day_count": max(compared - unknown, 0),
            }
        start = next_start(period, start)


def _cells(now: list[Row], before: list[Row]) -> Iterable[Row]:
    cells, previous = (grouped(rows, lambda row: tuple(row[name] for name in CELL)) for rows in (now, before))
    tokens, previous_tokens = _priced_tokens(now), _priced_tokens(before)
    for cell in {**cells, **previous}:
        rows, rows_before = cells.get(cell, []), previous.get(cell, [])
        cost, cost_before = (total(row["cost_usd"] for row in some) or Decimal(0) for some in (rows, rows_before))
        own, own_before = _priced_tokens(rows), _priced_tokens(rows_before)
        change = cost - cost_before
        volume = part(cost_before, tokens - previous_tokens, previous_tokens) if previous_tokens else change
        price = cost - part(cost_before, own, own_before) if own and own_before else Decimal(0)
        yield dict(zip(CELL, cell, strict=True)) | {
            "requests": _sum(rows, "requests"),
            "previous_requests": _sum(rows_before, "requests"),
            "token_count": _sum(rows, "token_count"),
            "previous_token_count": _sum(rows_before, "token_count"),
            "cost_usd": cost,
            "previous_cost_usd": cost_before,
            "change_usd": change,
            "volume_usd": volume,
            "price_usd": price,
            "mix_usd": change - volume - price,
        }


def _sum(rows: list[Row], name: str) -> Any:
    return total(row[name] for row in rows) or 0


def _priced_tokens(rows: list[Row]) -> int:
    return _sum([row for row in rows if row["standing"]["pricing_status"] != "unpriced"], "token_count")


def part(amount: Decimal, numerator: int, denominator: int) -> Decimal:
    """amount · numerator / denominator in whole millionths of a millionth, the rest cut off."""
    whole = int(amount.scaleb(12)) * numerator
    cut = abs(whole) // abs(denominator)
    return Decimal(cut if (whole < 0) == (denominator < 0) else -cut).scaleb(-12)
