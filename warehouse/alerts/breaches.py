"""What the published reports warn of: budgets near or over their limit, unusual costs, invoices that disagree, clocks,
refused calls.

A breach names a budget, a model or an assignment, never a user: what is sent cannot be erased any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import duckdb

from tracking.home import Home
from tracking.journal.kept_parts import QUOTED
from warehouse.ledger.days import today_of
from warehouse.published.read import open_warehouse


class Severity(StrEnum):
    WARN = "warn"
    ERROR = "error"


class BreachKind(StrEnum):
    BUDGET = "budget"
    ANOMALY = "anomaly"
    INVOICE = "invoice"
    CLOCK = "clock"
    REFUSED = "refused"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing to tell. `key` is the same for as long as it is the same thing; title and detail are one line each."""

    key: str
    kind: BreachKind
    severity: Severity
    title: str
    detail: str

    def __post_init__(self) -> None:
        # They hold names of budgets, models and objects, and become headers of mails and lines of logs.
        for name in ("title", "detail"):
            object.__setattr__(self, name, _one_line(getattr(self, name)))


RECENT = "interval 7 days"
"""How far back a breach is still news, counted from the last day of the ledger that is not after today."""

BUDGETS = f"""
select budget_name, period, period_start, period_end, status, warn_percent, limit_usd, spent_usd, forecast_crossing_on
from budget_status
where status in ('warn', 'over') and period_end >= status_date - {RECENT}
order by budget_name, period_start
"""
ANOMALIES = f"""
select reporting_date, entity_type, entity_id, cost_usd, expected_usd, driver
from cost_anomalies
where
    score > 0
    and reporting_date >= (select max(reporting_date) from cost_per_day where reporting_date <= $today) - {RECENT}
order by reporting_date, entity_type, cost_usd desc
"""
INVOICES = """
select
    provider,
    usage_month,
    coalesce(sum(invoiced_usd), 0)::decimal(38,12) as invoiced_usd,
    sum(residual_usd)::decimal(38,12) as residual_usd
from invoice_reconciliation
group by all
having abs(sum(residual_usd)) > greatest(0.01, 0.01 * abs(coalesce(sum(invoiced_usd), 0)))
order by provider, usage_month
"""
CLOCKS = """
select min(reporting_date) as first_date, max(reporting_date) as last_date, count(distinct reporting_date) as days
from cost_per_day
where reporting_date > $today
having count(*) > 0
"""
REFUSED = f"""
select
    reporting_date,
    sum(calls)::bigint as calls,
    sum(acknowledged_calls)::bigint as acknowledged_calls,
    sum(calls_without_estimate)::bigint as calls_without_estimate,
    sum(estimated_usd)::decimal(38,12) as estimated_usd,
    max_by(error, calls) as error,
    max_by(reason, calls) as reason
from quarantine_summary
where state = 'waiting' and reporting_date >= (select max(reporting_date) from quarantine_summary) - {RECENT}
group by all
order by reporting_date
"""


def find_breaches(home: Home) -> list[Breach]:
    """Every breach of the reports as they are published; none before the first build.

    Raises:
        LedgerError: the published reports cannot be read.
    """
    if not home.warehouse_database.exists():
        return []
    today = today_of(home)
    with open_warehouse(home) as connection:
        return [
            *(_budget(**row) for row in _rows(connection, "budget_status", BUDGETS)),
            *(_anomaly(**row) for row in _rows(connection, "cost_anomalies", ANOMALIES, today=today)),
            *(_invoice(**row) for row in _rows(connection, "invoice_reconciliation", INVOICES)),
            *(_clock(**row) for row in _rows(connection, "cost_per_day", CLOCKS, today=today)),
            *(_refused(**row) for row in _rows(connection, "quarantine_summary", REFUSED)),
        ]


def _rows(
    connection: duckdb.DuckDBPyConnection, relation: str, query: str, **parameters: object
) -> Iterator[dict[str, Any]]:
    """Nothing where the home was last built by models without that relation."""
    known = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'main' and table_name = ?", [relation]
    ).fetchone()
    if known is None:
        return
    result = connection.execute(query, parameters)
    names = [column[0] for column in result.description or ()]
    for row in result.fetchall():
        yield dict(zip(names, row, strict=True))


def _budget(
    budget_name: str,
    period: str,
    period_start: object,
    period_end: object,
    status: str,
    warn_percent: int | None,
    limit_usd: Decimal,
    spent_usd: Decimal,
    forecast_crossing_on: object | None,
) -> Breach:
    over = status == "over"
    level = "over its limit" if over else f"at {warn_percent}% of its limit or more"
    expected = f"; expected to cross it on {forecast_crossing_on}" if forecast_crossing_on else ""
    return Breach(
        key=f"budget:{budget_name}:{period_start}:{status}:{warn_percent or ''}",
        kind=BreachKind.BUDGET,
        severity=Severity.ERROR if over else Severity.WARN,
        title=f"budget {budget_name} is {level}: {_usd(spent_usd)} of {_usd(limit_usd)}",
        detail=f"{period} from {period_start} to {period_end}{expected}",
    )


def _anomaly(
    reporting_date: object, entity_type: str, entity_id: str, cost_usd: Decimal, expected_usd: float, driver: str
) -> Breach:
    what = "a user" if entity_type == "user" else f"{entity_type} {entity_id}"
    # Told apart by what they cost: the key is kept, and must not hold who it was.
    which = cost_usd if entity_type == "user" else entity_id
    return Breach(
        key=f"anomaly:{reporting_date}:{entity_type}:{which}",
        kind=BreachKind.ANOMALY,
        severity=Severity.WARN,
        title=f"{what} cost {_usd(cost_usd)} on {reporting_date}, usually about {_usd(Decimal(expected_usd))}",
        detail=f"driven by {driver}; see cost_anomalies",
    )


def _invoice(provider: str, usage_month: object, invoiced_usd: Decimal, residual_usd: Decimal) -> Breach:
    direction = "more" if residual_usd > 0 else "less"
    return Breach(
        key=f"invoice:{provider}:{usage_month}:{residual_usd}",
        kind=BreachKind.INVOICE,
        severity=Severity.WARN,
        title=f"{provider} billed {_usd(abs(residual_usd))} {direction} than the ledger for {usage_month}",
        detail=f"billed {_usd(invoiced_usd)}; see invoice_reconciliation",
    )


def _clock(first_date: object, last_date: object, days: int) -> Breach:
    dates = f"{first_date}" if days == 1 else f"{days:,} dates from {first_date} to {last_date}"
    return Breach(
        key=f"clock:{first_date}",
        kind=BreachKind.CLOCK,
        severity=Severity.WARN,
        title=f"calls are dated {dates}, which is later than today",
        detail="a clock is wrong; no budget counts them before their day; see freshness",
    )


def _refused(
    reporting_date: object,
    calls: int,
    acknowledged_calls: int,
    calls_without_estimate: int,
    estimated_usd: Decimal | None,
    error: str,
    reason: str,
) -> Breach:
    """Told again when they are ten times as many."""
    unknown = f", of {calls_without_estimate:,} nobody knows" if calls_without_estimate else ""
    safe_reason = QUOTED.sub("'…'", reason)  # a name that stands in quotes may be a user's
    return Breach(
        key=f"refused:{reporting_date}:{10 ** (len(str(calls)) - 1)}",
        kind=BreachKind.REFUSED,
        severity=Severity.ERROR if acknowledged_calls else Severity.WARN,
        title=f"{calls:,} calls of {reporting_date} were refused and are in no report: "
        f"{_usd(estimated_usd or Decimal(0))} by their own counts{unknown}",
        detail=f"mostly {error}: {safe_reason}; see llm-cost quarantine list",
    )


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in " ".join(text.split()))


def _usd(amount: Decimal) -> str:
    """For reading: to the cent, or to the first digits of what is less than one. The reports have it exactly."""
    return f"${amount:,.2f}" if amount == 0 or amount >= Decimal("0.01") else f"${amount:.2g}"
