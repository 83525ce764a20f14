"""How much of the money rests on what: the words of price_assumptions in the reports, against what was recorded."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from ledgers import NOON, body

from tracking import CostTracker
from tracking.assumptions import WORDS
from tracking.home import Home
from warehouse.building.build import build
from warehouse.building.dbt import PROJECT
from warehouse.published.read import open_warehouse

FLEX_OF_A_MODEL_WITHOUT = {"model": "gpt-4o", "service_tier": "flex"}
PARTIAL = [{"id": "chatcmpl-cut", "model": "gpt-4o", "choices": [{"delta": {"content": "some words of an answer"}}]}]


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], dict[tuple[str, str | None], Any]]:
    """Calls at known rates, at an assumed one, without a price, and a stream cut off that was completed a day later."""
    home = Home(tmp_path_factory.mktemp("coverage") / "home")
    answers: list[Any] = [
        body(),
        body(2000, 50),
        body(**FLEX_OF_A_MODEL_WITHOUT),
        body(model="no-such-model-at-all"),
        iter(PARTIAL),
    ]
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        given = {"user": "u", "trackable": ("Assignment", 1), "request_type": "generate_rubric", "prompt": "p"}
        records = [
            tracker.record(llm_response=answer, provider="openai", occurred_at=NOON, **given) for answer in answers
        ]
        build(home)
        final = body(1000, 100, id="chatcmpl-cut")
        records[-1] = tracker.record(
            llm_response=final, provider="openai", occurred_at=NOON + timedelta(minutes=1), **given
        )
    build(home)
    with open_warehouse(home) as connection:
        coverage = connection.execute("select pricing_status, assumed, requests, cost_usd from pricing_coverage")
        return records, {(status, assumed): (count, usd) for status, assumed, count, usd in coverage.fetchall()}


def test_money_is_reported_by_what_its_price_rests_on(reported: tuple[list[Any], dict[Any, Any]]) -> None:
    (plain, longer, flex, unpriced, completed), coverage = reported
    assert unpriced.cost_usd is None and flex.pricing_status == "estimated"
    assert coverage == {
        ("priced", None): (3, plain.cost_usd + longer.cost_usd + completed.cost_usd),
        ("estimated", "standard_rate_for"): (1, flex.cost_usd),
        ("unpriced", None): (1, None),
    }
    assert flex.cost_usd > Decimal(0)


def test_reports_know_every_word_the_tracker_writes() -> None:
    macro = (PROJECT / "macros" / "assumptions.sql").read_text(encoding="utf-8")
    listed = macro.split("{%- endmacro %}", 1)[0]
    assert set(re.findall(r"'(\w+)'", listed)) == set(WORDS)
