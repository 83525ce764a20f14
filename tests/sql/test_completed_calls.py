"""Calls that were sealed as they broke off, completed and priced later: in the reports as any other call.

Each rule has a test of its own in `test_what_if_costs.py` and beside `int_cost_daily`; this is all the way."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from ledgers import NOON, build_marts, record

from tracking import CostCalculator, CostTracker, LLMResponse, Usage
from tracking.home import Home
from warehouse.published.read import open_warehouse
from warehouse.sealing.reprice import RowSelection, reprice
from warehouse.sealing.seal import seal

pytestmark = pytest.mark.slow

SEARCHES = {"web_searches": 2}
STREAMS: dict[str, dict[str, Any]] = {
    "gpt-5": {"input_tokens": 100, "output_tokens": 50},
    "gpt-5-mini": {"input_tokens": 400, "output_tokens": 300},
    "gpt-4.1": {"input_tokens": 4000, "cache_read_tokens": 2048, "output_tokens": 10},
}
OWN = ("completed-then-priced", "priced-then-completed", "failed-then-completed")
"""Models of the school's own, one call each: what became of it."""

PRICE = """
[[price]]
provider = "openai"
model = "{}"
[price.rates]
input_mtok = 1
output_mtok = 2
"""
OWN_TOKENS = (1000, 60), (1000, 100)
"""Input and output, when the stream broke off and in the end."""
OWN_USD = Decimal("0.0012")


def answer(model: str, tokens: tuple[int, int]) -> LLMResponse:
    usage = Usage(input_tokens=tokens[0], output_tokens=tokens[1])
    return LLMResponse(provider="openai", model=model, usage=usage, id=f"own-{model}")


def price(home: Home, *models: str) -> None:
    home.prices_toml.write_text("".join(map(PRICE.format, models)), encoding="utf-8")
    assert reprice(home, RowSelection()).rows == 1


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("completed") / "home")
    later = NOON + timedelta(hours=1)
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        for model, counts in STREAMS.items():
            begun = LLMResponse(provider="openai", model=model, usage=Usage(**counts), id=f"stream-{model}")
            record(tracker, begun, status="partial")
        for model in OWN[:2]:
            record(tracker, answer(model, OWN_TOKENS[0]), status="partial")
        failed = LLMResponse.failed(provider="openai", model=OWN[2], error_type="Timeout")
        record(tracker, failed, idempotency_key=OWN[2])
    seal(home)
    price(home, OWN[1])
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        for model, counts in STREAMS.items():
            usage = Usage(**counts, other_units=SEARCHES)
            record(tracker, LLMResponse(provider="openai", model=model, usage=usage, id=f"stream-{model}"), at=later)
        for model in OWN[:2]:
            record(tracker, answer(model, OWN_TOKENS[1]), at=later)
        record(tracker, answer(OWN[2], OWN_TOKENS[1]), idempotency_key=OWN[2])
    seal(home)
    home.prices_toml.write_text("".join(map(PRICE.format, OWN)), encoding="utf-8")
    assert reprice(home, RowSelection()).rows == 2
    home.invoices.mkdir(exist_ok=True)
    lines = [f"openai,2026-11-01,2026-11-30,{OWN_USD},USD,{model},{sum(OWN_TOKENS[1])}" for model in OWN]
    (home.invoices / "openai.csv").write_text("\n".join(["provider,from,to,amount,currency,model,quantity", *lines]))
    build_marts(home, "savings_batch", "savings_cache", "model_what_if", "invoice_reconciliation")
    return home


def asked(home: Home, query: str) -> list[tuple[Any, ...]]:
    with open_warehouse(home) as warehouse:
        return warehouse.execute(query).fetchall()


def usd(model: str, **otherwise: Any) -> Decimal:
    """What the whole call costs, its searches included."""
    terms: dict[str, Any] = {"provider": "openai", "at": NOON} | STREAMS[model] | SEARCHES
    cost = CostCalculator().cost_of(model=model, **terms | otherwise).usd
    assert cost is not None
    return cost


def test_completed_calls_stay_in_the_savings_of_batches(home: Home) -> None:
    found = asked(home, "select llm, requests, cost_usd, saving_usd from savings_batch order by all")
    savings = {llm: (requests, cost, saving) for llm, requests, cost, saving in found}
    assert {model: savings[model] for model in STREAMS} == {
        model: (1, usd(model), usd(model) - usd(model, service_tier="batch")) for model in STREAMS
    }
    assert all(saving > 0 for _, _, saving in (savings[model] for model in STREAMS))


def test_completed_calls_stay_in_the_savings_of_caches(home: Home) -> None:
    found = asked(home, "select llm, cached_requests, cost_usd, achieved_saving_usd from savings_cache")
    model = "gpt-4.1"
    assert found == [(model, 1, usd(model), usd(model, cache_read_tokens=0) - usd(model))]


def test_another_model_would_have_searched_as_often(home: Home) -> None:
    found = asked(
        home, "select cost_usd - what_if_cost_usd from model_what_if where llm = 'gpt-5' and what_if_llm = 'gpt-5-mini'"
    )
    assert found == [(Decimal("0.00050"),)]


@pytest.mark.parametrize("model", OWN)
def test_all_tokens_of_a_call_completed_and_priced_later_are_beside_those_of_its_invoice(
    home: Home, model: str
) -> None:
    """Those of the first row were missing: it has no price of its own."""
    found = asked(
        home,
        "select requests, unpriced_requests, token_count, cost_usd, residual_usd from invoice_reconciliation"
        f" where llm = '{model}'",
    )
    assert found == [(1, 0, sum(OWN_TOKENS[1]), OWN_USD, 0)]
