"""What calls would have cost otherwise, against the calculator row by row; incremental by day; savings that add up."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import log2
from statistics import median
from typing import Any

import duckdb
import pytest
from ledgers import body, record, visible

from tracking import CostCalculator, CostTracker, LedgerError, LLMResponse
from tracking.home import Home
from tracking.usage import TOKEN_COUNTS
from warehouse.building.build import build, prepare
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal
from warehouse.sources.scenarios import LATER

MORNING = datetime(2026, 10, 9, 9, tzinfo=UTC)
"""Before the price list knows the rates of batches."""
LONG_TEXT = "The same long reading, word for word. " * 200
PARQUET_ENDS = 8
"""Bytes after a Parquet file's footer: the footer's length, and the magic."""

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1-mini")
Rows = list[tuple[Any, ...]]


def cached(read: int, input_tokens: int = 4000, **fields: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": input_tokens, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": read}}
    return {"model": "gpt-4o", "usage": usage} | fields


def claude(input_tokens: int, model: str = "claude-sonnet-4-5") -> LLMResponse:
    answer = {"model": model, "usage": {"input_tokens": input_tokens, "output_tokens": 500}, "type": "message"}
    return LLMResponse.from_provider(answer, provider="anthropic")


def fill(tracker: CostTracker) -> None:
    for number in range(120):
        answer = body(37 * number + 1, 11 * number + 1, model=MODELS[number % 3])
        record(tracker, answer, at=MORNING + timedelta(hours=9 * (number % 7), minutes=number), prompt=f"{number}")
    for minutes, read in ((0, 0), (2, 0), (4, 3000), (60, 0)):
        at = MORNING + timedelta(days=9, minutes=minutes)
        record(tracker, cached(read), at=at, prompt=f"{LONG_TEXT}{minutes}", user="reader")
    for input_tokens in (150_000, 250_000):
        tracker.record(
            llm_response=claude(input_tokens),
            user="teacher-1",
            trackable=("Assignment", 1),
            request_type="generate_rubric",
            prompt=f"long {input_tokens}",
            occurred_at=MORNING + timedelta(days=10),
        )
    at = MORNING + timedelta(days=11)
    first = record(tracker, body(900, 90), at=at, prompt="again")
    record(tracker, body(900, 91), at=at + timedelta(minutes=1), prompt="again")
    record(tracker, body(900, 92), at=at + timedelta(minutes=2), prompt="again", user="another")
    record(tracker, body(900, 93), at=at + timedelta(minutes=3), prompt="other", retry_of=first.record_id, attempt=2)
    record(tracker, body(900, 5), at=at + timedelta(minutes=4), prompt="stops", status="partial")
    record(tracker, body(900, 5, id="whole"), at=at + timedelta(minutes=5), prompt="comes", status="partial")
    record(tracker, body(900, 6, id="half"), at=at + timedelta(minutes=5), prompt="comes half", status="partial")
    failed = LLMResponse.failed(provider="openai", model="gpt-4o", error_type="Timeout")
    record(tracker, failed, at=at + timedelta(minutes=5), prompt="fails", idempotency_key="in the end")
    record(tracker, body(200_000, 90_000), at=at + timedelta(minutes=6), prompt="huge")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Calls of a few days: short ones, ones that share a prefix, long ones, wasted ones, one corrected, one huge."""
    home = Home(tmp_path_factory.mktemp("optimisation") / "home")
    with CostTracker(home.root) as tracker:
        fill(tracker)
    seal(home)
    with CostTracker(home.root) as tracker:
        at = MORNING + timedelta(days=11, minutes=5)
        record(tracker, body(900, 400, id="whole"), at=at, prompt="comes")
        record(tracker, body(900, 7, id="half"), at=at, prompt="comes half", status="partial")
        record(tracker, body(900, 8), at=at, prompt="fails", idempotency_key="in the end")
    build(home)
    return home


def rows(home: Home, query: str) -> Rows:
    with open_warehouse(home) as warehouse:
        return warehouse.execute(query).fetchall()


def what_if_costs(home: Home) -> Rows:
    with duckdb.connect(home.build_database, read_only=True) as connection:
        return connection.execute("select * from ledger.what_if_costs order by all").fetchall()


def calls(home: Home) -> Iterator[dict[str, Any]]:
    """Each call as its corrections leave it."""
    found = {row["record_id"]: row for row in visible(home) if row["charge_class"] == "usage"}
    for row in visible(home):
        if row["charge_class"] == "correction":
            for name in (*TOKEN_COUNTS, "cost_usd"):
                if row[name] is not None:
                    call = found[row["corrects_record_id"]]
                    call[name] = (call[name] or 0) + row[name]
    yield from found.values()


def cost_of(call: dict[str, Any], **otherwise: Any) -> Decimal:
    counts = {name: call[name] for name in TOKEN_COUNTS if call[name] is not None}
    terms: dict[str, Any] = {"provider": call["provider"], "model": call["model"], "at": call["occurred_at"]}
    cost = CostCalculator().cost_of(**terms | counts | otherwise).usd
    assert cost is not None
    return cost


def test_every_call_is_priced_on_every_candidate_as_the_calculator_prices_it(home: Home) -> None:
    windows = dict(rows(home, "select distinct (provider, llm), context_window from dim_model where is_latest"))
    candidates = rows(home, "select distinct what_if_provider, what_if_llm from model_what_if order by all")
    assert {llm for _, llm in candidates} > {*MODELS, "claude-sonnet-4-5"}, "and the next cheaper ones"
    expected: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, 0, Decimal(0), Decimal(0)])
    for call in calls(home):
        for provider, llm in candidates:
            if (provider, llm) != (call["provider"], call["llm"]):
                cell = expected[call["provider"], call["llm"], provider, llm]
                fits = call["input_tokens"] + call["output_tokens"] <= windows[provider, llm]
                cell[0 if fits else 1] += 1
                cell[2] += call["cost_usd"] if fits else 0
                cell[3] += cost_of(call, provider=provider, model=llm) if fits else 0
    found = rows(
        home,
        "select provider, llm, what_if_provider, what_if_llm, requests, left_out_requests, cost_usd, what_if_cost_usd "
        "from model_what_if where reporting_month = '2026-10-01'",
    )
    assert {tuple(row[:4]): list(row[4:]) for row in found} == expected
    assert any(left_out for *_, left_out, _, _ in found)


def test_what_the_cache_saved_and_what_it_could_have_saved_is_exact_for_the_tokens_assumed(home: Home) -> None:
    first, second, third, _ = sorted(
        (call for call in calls(home) if call["user_id"] == "reader"), key=lambda call: call["occurred_at"]
    )
    shared = second["input_tokens"] * 4096 // second["prompt_chars"]
    assert 1024 < shared < third["cache_read_tokens"]
    assert rows(
        home,
        "select cached_requests, cost_usd, achieved_saving_usd, missed_requests, missed_cost_usd, missed_saving_usd "
        "from savings_cache where llm = 'gpt-4o'",
    ) == [
        (
            1,
            third["cost_usd"],
            cost_of(third, cache_read_tokens=0) - third["cost_usd"],
            2,
            first["cost_usd"] + second["cost_usd"],
            second["cost_usd"] - cost_of(second, cache_read_tokens=shared),
        )
    ]


def test_batches_are_priced_at_the_last_rates_of_the_price_list(home: Home) -> None:
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for call in calls(home):
        expected[call["llm"]] += cost_of(call, at=call["occurred_at"] + LATER, service_tier="batch")
    found = rows(home, "select llm, batch_cost_usd, saving_usd > 0, is_eligible from savings_batch")
    assert {llm: cost for llm, cost, _, _ in found} == expected
    assert {llm for llm, _, saves, _ in found if saves} >= {"gpt-4o", "claude-sonnet-4-5"}
    assert {is_eligible for *_, is_eligible in found} == {False}, "somebody waits for a rubric"


def test_the_surcharge_of_a_long_input_is_what_it_costs_beyond_the_first_tier(home: Home) -> None:
    (long,) = (call for call in calls(home) if call["input_tokens"] == 250_000)
    halves = 2 * cost_of(long, input_tokens=125_000, output_tokens=250)
    assert halves < long["cost_usd"]
    assert rows(home, "select llm, requests, cost_usd, base_rates_cost_usd from long_context_surcharges") == [
        ("claude-sonnet-4-5", 1, long["cost_usd"], halves)
    ]


def test_each_call_is_wasted_for_one_reason(home: Home) -> None:
    costs = {call["output_tokens"]: call["cost_usd"] for call in calls(home) if call["input_tokens"] == 900}
    assert {5, 7, 8, 90, 91} <= costs.keys()
    assert rows(home, "select waste, requests, cost_usd from wasted_spend order by waste") == [
        ("duplicate", 1, costs[91]),
        ("partial", 2, costs[5] + costs[7]),
        ("retried", 1, costs[90]),
    ]
    assert rows(home, "select distinct status, error_type from error_rates_daily order by status") == [
        ("ok", None),
        ("partial", None),
    ]


def test_a_call_far_costlier_than_its_kind_is_found(home: Home) -> None:
    costs = [log2(call["cost_usd"]) for call in calls(home) if call["llm"] == "gpt-4o"]
    middle = median(costs)
    spread = median(abs(cost - middle) for cost in costs)
    (found,) = rows(home, "select input_tokens, cost_usd, robust_z, median_cost_usd from outlier_requests")
    assert found[0] == 200_000
    assert found[2] == pytest.approx(0.6745 * (log2(found[1]) - middle) / spread, rel=0.25)
    assert found[3] == pytest.approx(2**middle, rel=0.1)


def test_what_counts_as_a_saving_adds_up_within_one_confidence(home: Home) -> None:
    kinds = {"wasted_calls", "cache", "long_context", "other_model", "outliers"}
    assert {kind for (kind,) in rows(home, "select distinct opportunity from saving_opportunities")} == kinds
    assert (
        rows(
            home,
            """
            select llm, confidence, sum(counted_saving_usd), max(saving_usd)
            from saving_opportunities
            group by all
            having sum(counted_saving_usd) <> max(saving_usd) or count(*) filter (counted_saving_usd > 0) <> 1
            """,
        )
        == []
    )


def prepared_anew(home: Home) -> Rows:
    with duckdb.connect(home.build_database) as connection:
        for table in ("what_if_costs", "int_what_if_days", "int_what_if_candidates"):
            connection.execute(f"drop table ledger.{table}")
    prepare(home)
    return what_if_costs(home)


def test_brought_up_to_date_is_the_same_as_made_anew(home: Home) -> None:
    before = what_if_costs(home)
    prepare(home)
    assert what_if_costs(home) == before
    with CostTracker(home.root) as tracker:
        record(tracker, body(12, 13), at=MORNING, user="late")
    seal(home)
    prepare(home)
    late = what_if_costs(home)
    assert {row[0] for row in set(late) ^ set(before)} == {MORNING.date()}
    with CostTracker(home.root) as tracker:
        record(tracker, body(12, 13, model="gpt-5-mini"), at=MORNING + timedelta(days=1), user="late")
    seal(home)
    prepare(home)
    with_new_model = what_if_costs(home)
    assert {row[0] for row in set(with_new_model) - set(late) if row[7] == "gpt-5-mini"} == {row[0] for row in before}
    assert with_new_model == prepared_anew(home)
    home.prices_toml.write_text(
        '[[discount]]\nprovider = "openai"\nmodel = "gpt-5-mini"\nfrom = 2026-10-12\npercent = 50\n'
    )
    prepare(home)
    discounted = what_if_costs(home)
    assert discounted != with_new_model
    assert discounted == prepared_anew(home)


def test_a_segment_that_cannot_be_read_is_named_and_nothing_is_half_done(home: Home) -> None:
    before = what_if_costs(home)
    with CostTracker(home.root) as tracker:
        record(tracker, body(12, 14), at=MORNING, user="later")
    seal(home)
    file = next(home.usage.glob(f"usage_date={MORNING.date()}/*.parquet"))
    content = file.read_bytes()
    footer = int.from_bytes(content[-PARQUET_ENDS:-4], "little") + PARQUET_ENDS
    file.write_bytes(content[:4] + bytes(len(content) - footer - 4) + content[-footer:])
    with pytest.raises(LedgerError, match="cannot be read"):
        prepare(home)
    file.write_bytes(content)
    assert what_if_costs(home) == before
