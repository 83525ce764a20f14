"""How far the published money can be relied on: what the books hold and what not, which calls have no price, and what
rests on which assumption."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext

import duckdb

from tracking.home import Home
from tracking.money import EXACT
from warehouse.published.read import open_warehouse


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the calls, and their USD, exact; `None` where it is unknown."""

    calls: int = 0
    usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """What the proof is about, each in calls and USD.

    `recorded` is the whole ledger, which every report sums to. Of it are `unpriced` (a price is missing), `failed` (an
    error, nothing used and nothing to bill) and `assumed` (the price rests on an assumption). `refused` calls wait in
    quarantine, beside it: their USD is an estimate by their own counts, unknown for `refused_without_estimate` of them.
    """

    recorded: Part = Part()
    refused: Part = Part()
    unpriced: Part = Part()
    failed: Part = Part()
    assumed: Part = Part()
    refused_without_estimate: int = 0

    def in_words(self) -> str:
        """One line, as every command and the page say it."""
        unknown = f", unknown for {self.refused_without_estimate:,}" if self.refused_without_estimate else ""
        refused = f" (estimated {self.refused.usd or 0:,f} USD{unknown}; in no report)" if self.refused.calls else ""
        return (
            f"recorded {self.recorded.calls:,} calls, {self.recorded.usd or 0:,f} USD; "
            f"refused {self.refused.calls:,}{refused}; "
            f"unpriced {self.unpriced.calls:,}{' (USD unknown)' if self.unpriced.calls else ''}; "
            f"assumed {self.assumed.calls:,} ({self.assumed.usd or 0:,f} USD of the recorded); "
            f"failed {self.failed.calls:,} (nothing to bill)"
        )


BOOKS = """
with ledger as (
    select
        coalesce(sum(requests), 0)::bigint as calls,
        coalesce(sum(cost_usd), 0)::decimal(38, 12) as usd
    from ledger.segments
),

covered as (
    select
        coalesce(sum(refused_requests), 0)::bigint as refused,
        sum(refused_estimated_usd)::decimal(38, 12) as refused_usd,
        coalesce(sum(unpriced_requests), 0)::bigint as unpriced,
        coalesce(sum(requests) filter (where pricing_status = 'failed'), 0)::bigint as failed,
        coalesce(sum(requests) filter (where assumed is not null), 0)::bigint as assumed,
        coalesce(sum(cost_usd) filter (where assumed is not null), 0)::decimal(38, 12) as assumed_usd
    from pricing_coverage
),

unknown as (
    select coalesce(sum(calls_without_estimate), 0)::bigint as calls
    from quarantine_summary
    where state = 'waiting'
)

select ledger.calls, ledger.usd, covered.*, unknown.calls
from ledger cross join covered cross join unknown
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """Calls that wait in quarantine, of one day (reporting time zone), provider and reason."""

    reporting_date: date
    provider: str | None
    error: str
    reason: str
    calls: int
    calls_without_estimate: int
    estimated_usd: Decimal | None


def books_of(connection: duckdb.DuckDBPyConnection) -> Books:
    """What the published reports hold and what stands beside them."""
    [row] = connection.execute(BOOKS).fetchall()
    calls, usd, refused, refused_usd, unpriced, failed, assumed, assumed_usd, unknown = row
    return Books(
        recorded=Part(calls, usd),
        refused=Part(refused, refused_usd),
        unpriced=Part(unpriced, None),
        failed=Part(failed, Decimal(0)),
        assumed=Part(assumed, assumed_usd),
        refused_without_estimate=unknown,
    )


def refused_by_reason(connection: duckdb.DuckDBPyConnection) -> list[Refused]:
    """The published calls that wait in quarantine, the latest day first."""
    rows = connection.execute(
        """
        select reporting_date, provider, error, reason, calls, calls_without_estimate, estimated_usd
        from (
            select
                reporting_date, provider, error, reason,
                sum(calls)::bigint as calls,
                sum(calls_without_estimate)::bigint as calls_without_estimate,
                sum(estimated_usd)::decimal(38, 12) as estimated_usd
            from quarantine_summary
            where state = 'waiting'
            group by all
        )
        order by reporting_date desc, calls desc, provider, reason
        """
    ).fetchall()
    return [Refused(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """How many calls of one model are without a price; `llm` is `None` where the provider named none."""

    provider: str
    llm: str | None
    unpriced_requests: int


@dataclass(frozen=True, slots=True)
class UnpricedCalls:
    """All calls but those that failed, which have no price to have, and the models without, the most calls first."""

    calls: int
    models: list[UnpricedModel]

    @property
    def unpriced(self) -> int:
        return sum(model.unpriced_requests for model in self.models)


@dataclass(frozen=True, slots=True)
class Assumed:
    """What rests on one assumption, by its word: USD, exact."""

    assumed: str
    requests: int
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class AssumedMoney:
    """All money (USD, exact), and what of it rests on assumptions, the most money first."""

    cost_usd: Decimal
    assumptions: list[Assumed]

    @property
    def assumed_usd(self) -> Decimal:
        with localcontext(EXACT):
            return sum((each.cost_usd for each in self.assumptions), Decimal(0))


def unpriced_calls(home: Home) -> UnpricedCalls:
    """What is published of calls without a price.

    Raises:
        LedgerError: nothing was published yet, or the file cannot be read.
    """
    with open_warehouse(home) as connection:
        models = connection.execute(
            """
            select provider, llm, unpriced_requests
            from cost_per_model
            where unpriced_requests > 0
            order by 3 desc, 1, 2
            """
        ).fetchall()
        [(calls,)] = connection.execute(
            "select coalesce(sum(requests - failed_requests), 0)::bigint from cost_per_model"
        ).fetchall()
    return UnpricedCalls(calls, [UnpricedModel(*model) for model in models])


def assumed_money(home: Home) -> AssumedMoney:
    """What is published of money at rates that were assumed.

    Raises:
        LedgerError: nothing was published yet, or the file cannot be read.
    """
    with open_warehouse(home) as connection:
        assumptions = connection.execute(
            """
            select assumed, sum(requests)::bigint, coalesce(sum(cost_usd), 0)::decimal(38, 12) as cost_usd
            from pricing_coverage
            where assumed is not null
            group by assumed
            order by cost_usd desc, assumed
            """
        ).fetchall()
        [(total,)] = connection.execute(
            "select coalesce(sum(cost_usd), 0)::decimal(38, 12) from pricing_coverage"
        ).fetchall()
    return AssumedMoney(total, [Assumed(*assumption) for assumption in assumptions])
