"""How far the published money can be relied on: which calls have no price, and what rests on which assumption."""

from dataclasses import dataclass
from decimal import Decimal, localcontext

from tracking.home import Home
from tracking.money import EXACT
from warehouse.published.read import open_warehouse


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
