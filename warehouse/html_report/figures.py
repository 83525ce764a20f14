"""What the page shows of a period: totals, their course, cuts that each sum to the total, and what to look into."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from tracking.errors import ArgumentError
from warehouse.html_report.period import MOST_COLUMNS, Period
from warehouse.published.coverage import Books, Refused, books_of, refused_by_reason
from warehouse.published.proof import CutProof, prove

Row = dict[str, Any]

LISTED = 12
"""Rows of a cut; the rest is one row more, so that each cut sums to the total."""
EARLIEST = date(2000, 1, 1)
"""Earlier days are of clocks that were never set: they are shown where they are asked for."""

MEASURES = """
    coalesce(sum(requests), 0)::bigint as requests,
    coalesce(sum(failed_requests), 0)::bigint as failed_requests,
    coalesce(sum(unpriced_requests), 0)::bigint as unpriced_requests,
    coalesce(sum(token_count), 0)::bigint as token_count,
    sum(cost_usd)::decimal(38, 12) as cost_usd
"""
IN_PERIOD = "reporting_date between $first and $last"

TOTAL = f"select {MEASURES} from cost_per_day where {IN_PERIOD}"

LAST_WHOLE = f"select max(reporting_date) as last from dim_date where is_whole_day and {IN_PERIOD}"

USERS = f"select count(distinct (user_id, tenant)) as users from cost_per_user_day where {IN_PERIOD}"

COURSE = f"""
    select date_trunc('{{step}}', reporting_date)::date as start, {MEASURES}
    from cost_per_day
    where {IN_PERIOD}
    group by all
    order by all
"""

RANKED = f"""
    select *, row_number() over (order by cost_usd desc nulls last, requests desc, name, beside) as place
    from (
        select {{name}} as name, {{beside}} as beside, {MEASURES}
        from {{relation}}
        where {IN_PERIOD}
        group by all
    )
"""


@dataclass(frozen=True, slots=True)
class Cut:
    """The period's cost by one thing: the dearest `rows`, and what all the `others` (so many `things`) sum to."""

    title: str
    of: str
    rows: list[Row]
    others: Row | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All the page shows. Money is exact (Decimal USD, 12 places), and None where no price is known."""

    period: Period
    total: Row
    whole: Period | None
    """The days of it that are over: only they are compared with as many before."""
    whole_total: Row | None
    before: Row | None
    users: int
    course: list[Row]
    cuts: list[Cut]
    budgets: list[Row]
    movers: list[Row]
    savings: list[Row]
    anomalies: list[Row]
    performance: list[Row]
    coverage: list[Row]
    quality: Row
    refused: list[Refused]
    books: Books
    proofs: list[CutProof]


CUTS = (
    ("Models", "model", "cost_per_model_day", "provider || ' / ' || coalesce(llm, 'no model')", "null"),
    (
        "Users",
        "user",
        """
        cost_per_user_day as cost
        left join dim_user as named on cost.user_id = named.user_id and cost.tenant is not distinct from named.tenant
        """,
        "coalesce(user_name, cost.user_id)",
        "nullif(concat_ws(', ', case when user_name is not null then cost.user_id end, cost.tenant), '')",
    ),
    (
        "Assignments",
        "assignment",
        """
        cost_per_assignment_day as cost
        left join dim_assignment as named
            on cost.assignment_id = named.assignment_id and cost.tenant is not distinct from named.tenant
        """,
        "coalesce(assignment_name, cost.assignment_id, 'no assignment')",
        "nullif(concat_ws(', ', case when assignment_name is not null then cost.assignment_id end, cost.tenant), '')",
    ),
    ("Request types", "request type", "cost_per_request_type_day", "request_type", "null"),
)
"""Title, what a row is of, rows by day, what names a row, and what is said beside the name."""

BUDGETS = "select * from budget_status where is_current order by share_spent desc nulls last, budget_name"

MOVERS = """
    select *
    from cost_movers
    where (period, period_start) in (
        select (period, period_start)
        from cost_movers
        where period_start between $first and $last
        order by period = 'month' desc, period_start desc
        limit 1
    ) and change_usd <> 0
    order by abs(change_usd) desc, provider, llm, request_type
    limit 8
"""

# What is sure counts in full, what is likely by half, what is possible by a quarter.
SAVINGS = """
    select * from saving_opportunities
    where reporting_month between date_trunc('month', $first::date) and $last and counted_saving_usd > 0
    order by counted_saving_usd / case confidence when 'high' then 1 when 'medium' then 2 else 4 end desc,
        opportunity, provider, llm, request_type
    limit 10
"""

ANOMALIES = """
    select * from cost_anomalies
    where reporting_date between $first and $last
    order by abs(change_usd) desc nulls last, reporting_date desc, entity_type, entity_id
    limit 10
"""

PERFORMANCE = """
    select
        provider,
        llm,
        sum(requests)::bigint as requests,
        sum(failed_requests) / sum(requests) as error_rate,
        sum(mean_latency_ms * timed_requests) / nullif(sum(timed_requests), 0) as mean_latency_ms,
        median(latency_p50_ms) as latency_p50_ms,
        max(latency_p90_ms) as worst_p90_ms,
        median(ttft_p50_ms) as ttft_p50_ms,
        median(output_tokens_per_second) as output_tokens_per_second
    from performance_per_model_day
    where reporting_date between $first and $last
    group by provider, llm
    order by requests desc, provider, llm
    limit 12
"""

COVERAGE = """
    select
        pricing_status,
        assumed,
        sum(requests)::bigint as requests,
        sum(token_count)::bigint as token_count,
        sum(cost_usd)::decimal(38, 12) as cost_usd,
        sum(refused_requests)::bigint as refused_requests,
        sum(refused_estimated_usd)::decimal(38, 12) as refused_estimated_usd
    from pricing_coverage
    where reporting_month between date_trunc('month', $first::date) and $last
    group by pricing_status, assumed
    order by requests desc, pricing_status, assumed
"""

QUALITY = """
    select
        (select count(*) filter (where is_conflicting) from ledger_conflicts) as conflicts,
        coalesce(sum(calls) filter (where state = 'waiting' and kind = 'journal'), 0)::bigint as quarantined,
        coalesce(sum(calls) filter (where state = 'replayed'), 0)::bigint as replayed,
        coalesce(sum(calls) filter (where state = 'discarded'), 0)::bigint as discarded,
        (sum(estimated_usd) filter (where state = 'discarded'))::decimal(38, 12) as discarded_usd,
        (
            select coalesce(sum(day_late_requests), 0)::bigint
            from late_rows
            where reporting_date between $first and $last
        ) as late,
        (select coalesce(sum(requests), 0)::bigint from cost_per_day where reporting_date > $today) as later,
        (select max(last_recorded_at) from freshness) as last_recorded_at
    from quarantine_summary
"""


def read_figures(
    connection: duckdb.DuckDBPyConnection, first: date | None, last: date | None, today: date = date.max
) -> Figures:
    """The figures of a period of the published warehouse; without a bound from the first day on, or to the last.

    Days after `today` and those of no clock that was ever set are in it only where they are asked for, or alone.

    Raises:
        ArgumentError: the period ends before it begins.
    """
    period = _period(connection, first, last, today)
    reader = _Reader(connection, period, today)
    total = reader.one(TOTAL)
    last_whole = reader.one(LAST_WHOLE)["last"]
    whole = (
        None if last_whole is None else Period(period.first, period.last if last_whole >= period.last else last_whole)
    )
    whole_total, before = (
        None if days is None else _Reader(connection, days, today).one(TOTAL)
        for days in (whole, whole and whole.before)
    )
    return Figures(
        period=period,
        total=total,
        whole=whole,
        whole_total=whole_total,
        before=before if before is not None and before["requests"] else None,
        users=reader.one(USERS)["users"],
        course=_without_gaps(reader.rows(COURSE.format(step=period.step)), period.step),
        cuts=[reader.cut(*parts) for parts in CUTS],
        budgets=reader.rows(BUDGETS),
        movers=reader.rows(MOVERS),
        savings=reader.rows(SAVINGS),
        anomalies=reader.rows(ANOMALIES),
        performance=reader.rows(PERFORMANCE),
        coverage=reader.rows(COVERAGE),
        quality=reader.one(QUALITY),
        refused=refused_by_reason(connection),
        books=books_of(connection),
        proofs=prove(connection),
    )


class _Reader:
    """Asks the published warehouse about one period."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, period: Period, today: date) -> None:
        self._connection = connection
        self._bounds = {"first": period.first, "last": period.last, "today": today}

    def rows(self, query: str) -> list[Row]:
        asked = {name: bound for name, bound in self._bounds.items() if f"${name}" in query}
        result = self._connection.execute(query, asked)
        columns = [column[0] for column in result.description or []]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]

    def one(self, query: str) -> Row:
        return self.rows(query)[0]

    def cut(self, title: str, of: str, relation: str, name: str, beside: str) -> Cut:
        ranked = RANKED.format(relation=relation, name=name, beside=beside)
        others = self.one(f"select count(*) as things, {MEASURES} from ({ranked}) where place > {LISTED}")
        listed = self.rows(f"select * from ({ranked}) where place <= {LISTED} order by place")
        return Cut(title, of, listed, others if others["things"] else None)


def _period(connection: duckdb.DuckDBPyConnection, first: date | None, last: date | None, today: date) -> Period:
    ledger_period = _recorded(connection, EARLIEST, today) or _recorded(connection, date.min, date.max)
    if ledger_period is None:
        ledger_period = Period(last or first or today, first or last or today)
    if first is not None and first > ledger_period.last:
        ledger_period = _recorded(connection, first, date.max) or Period(first, first)
    period = Period(first or ledger_period.first, last or ledger_period.last)
    if period.last < period.first:
        raise ArgumentError("--to", f"({period.last}) is before --from ({period.first})")
    return period


def _recorded(connection: duckdb.DuckDBPyConnection, first: date, last: date) -> Period | None:
    """From the first day with calls to the last one, of so many."""
    found = connection.execute(
        f"select min(reporting_date), max(reporting_date) from cost_per_day where {IN_PERIOD}",
        {"first": first, "last": last},
    ).fetchall()[0]
    return Period(*found) if found[0] is not None else None


def _without_gaps(course: list[Row], step: str) -> list[Row]:
    """A day on which nothing was recorded is a column too, unless that would make a chart of years."""
    if not course or (course[-1]["start"] - course[0]["start"]).days > MOST_COLUMNS * 366:
        return course
    whole = course[:1]
    for row in course[1:]:
        while (start := _following(whole[-1]["start"], step)) < row["start"]:
            whole.append({"start": start, "requests": 0, "cost_usd": Decimal(0)})
        whole.append(row)
    return whole


def _following(start: date, step: str) -> date:
    if step == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if step == "week" else 1)
