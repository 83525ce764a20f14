"""Discounts of one's own, as the prices that rows were priced by keep them."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ledgers import body

from tracking import CostTracker, LedgerError, LLMResponse
from tracking.home import Home
from warehouse.sources.discounts import create_discounts

PRICES = """
[[discount]]
provider = "openai"
percent = 12.5

[[discount]]
provider = "mistral"
percent = -10

[[fee]]
provider = "openai"
model = "gpt-4o-mini"
usd_per_request = "0.001"

[[fee]]
provider = "groq"
usd_per_request = "0.002"
"""


def discounts(home: Path) -> dict[Any, list[Any]]:
    with duckdb.connect() as connection:
        connection.execute("create schema ledger")
        create_discounts(connection, Home(home))
        return {name: rest for name, *rest in connection.execute("from ledger.discounts").fetchall()}


def test_a_price_with_a_discount_is_listed_with_the_fee_that_came_on_top(home: Path) -> None:
    home.mkdir()
    (home / "prices.toml").write_text(PRICES, encoding="utf-8")
    with CostTracker(home) as tracker:

        def price_id(provider: str, model: str) -> str | None:
            answer = LLMResponse.from_provider(body(100, 20, model=model), provider=provider)
            return tracker.record(
                llm_response=answer, user=1, trackable=("Assignment", 1), request_type="generate_rubric", prompt="?"
            ).price_id

        percent, fee = Decimal("12.5"), Decimal("0.001")
        expected = {
            price_id("openai", "gpt-4o"): [percent, 0],
            price_id("openai", "gpt-4o-mini"): [percent, fee],
            price_id("mistral", "mistral-large-latest"): [-10, 0],
        }
        # Neither a fee alone nor the list's own price is a discount.
        price_id("groq", "llama-3.1-8b-instant")
        price_id("deepseek", "deepseek-chat")
    assert discounts(home) == expected


def test_a_file_among_the_prices_that_is_none_is_named(home: Path) -> None:
    with CostTracker(home):
        pass
    (home / "prices" / "genai-prices+prices.toml-1.json").write_text("{}")
    with pytest.raises(LedgerError, match=r"genai-prices\+prices.toml-1.json is no price that was kept"):
        discounts(home)
