"""Re-pricing appends corrections, once, and only where the cost really differs."""

from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, localcontext
from pathlib import Path

import polars as pl
import pytest
from ledgers import NOON, body, record

from tracking import CostTracker, LLMResponse, Usage
from tracking.home import Home
from tracking.journal.writer import record_line
from warehouse.ledger.manifest import Manifest
from warehouse.sealing.reprice import RowSelection, reprice
from warehouse.sealing.seal import seal

OWN_PRICE = """
[[price]]
provider = "openai"
model = "school-own-grader"
[price.rates]
input_mtok = {input}
output_mtok = 2
"""
OWN = body(1000, 100, model="school-own-grader")


def ledger(home: Path) -> pl.DataFrame:
    return pl.read_parquet(home / "usage" / "*" / "*.parquet", hive_partitioning=False).sort("recorded_at")


def write_price(home: Path, rate: int) -> None:
    (home / "prices.toml").write_text(OWN_PRICE.format(input=rate), encoding="utf-8")


@pytest.fixture
def unpriced(home: Path) -> Home:
    """A home with three calls of a model no catalogue knows, one failed call of it and one priced call."""
    with CostTracker(home, on_unknown_model="record") as tracker:
        for day in range(3):
            record(tracker, OWN | {"id": f"own-{day}"}, at=NOON + timedelta(days=day))
        tracker.record(
            llm_response=LLMResponse.failed(provider="openai", model="school-own-grader"),
            user=1,
            trackable=("Assignment", 1),
            request_type="generate_rubric",
            prompt="p",
            occurred_at=NOON,
        )
        record(tracker, body(1000, 100, id="known"))
    return Home(home)


def test_unpriced_rows_get_their_price_as_corrections_and_a_second_time_nothing(unpriced: Home) -> None:
    write_price(unpriced.root, 1)
    report = reprice(unpriced, RowSelection())
    (difference,) = report.differences.values()
    assert (difference.rows, difference.before_usd, difference.after_usd) == (3, 0, Decimal("0.0036"))
    assert report.still_unpriced == 0

    rows = ledger(unpriced.root)
    corrections = rows.filter(pl.col("charge_class") == "correction")
    assert corrections.height == 3
    assert corrections["cost_usd"].to_list() == [Decimal("0.0012")] * 3
    assert corrections["token_count"].to_list() == [None] * 3
    assert set(corrections["corrects_pricing_status"]) == {"unpriced"}
    originals = rows.filter(pl.col("record_id").is_in(corrections["corrects_record_id"].to_list()))
    assert sorted(originals["occurred_at"]) == sorted(corrections["occurred_at"])
    assert sorted(originals["llm"]) == sorted(corrections["llm"])

    assert reprice(unpriced, RowSelection()).rows == 0
    assert ledger(unpriced.root).height == rows.height


def test_a_dry_run_says_the_same_and_writes_nothing(unpriced: Home) -> None:
    write_price(unpriced.root, 1)
    seal(unpriced)
    before = sorted(path for path in unpriced.root.rglob("*") if path.is_file())
    report = reprice(unpriced, RowSelection(), dry_run=True)
    assert report.rows == 3
    after = sorted(path for path in unpriced.root.rglob("*") if path.is_file())
    assert [path for path in after if path.suffix != ".log"] == [path for path in before if path.suffix != ".log"]
    assert ledger(unpriced.root).filter(pl.col("charge_class") == "correction").is_empty()


def test_without_restate_a_priced_row_keeps_its_price(unpriced: Home) -> None:
    write_price(unpriced.root, 1)
    reprice(unpriced, RowSelection())
    write_price(unpriced.root, 3)
    assert reprice(unpriced, RowSelection()).rows == 0
    report = reprice(unpriced, RowSelection(restate=True))
    (difference,) = report.differences.values()
    assert difference.difference_usd == Decimal("0.006")


def test_restating_there_and_back_ends_where_it_began(unpriced: Home) -> None:
    for rate, total in ((1, "0.0036"), (3, "0.0096"), (1, "0.0036"), (3, "0.0096")):
        write_price(unpriced.root, rate)
        reprice(unpriced, RowSelection(restate=True))
        own = ledger(unpriced.root).filter(pl.col("model") == "school-own-grader")
        assert own["cost_usd"].sum() == Decimal(total)
    assert reprice(unpriced, RowSelection(restate=True)).rows == 0


def test_only_the_selected_days_and_model_are_priced(unpriced: Home) -> None:
    write_price(unpriced.root, 1)
    day = (NOON + timedelta(days=1)).date()
    assert reprice(unpriced, RowSelection(model="another"), dry_run=True).rows == 0
    assert reprice(unpriced, RowSelection(start=day), dry_run=True).rows == 2
    assert reprice(unpriced, RowSelection(end=day), dry_run=True).rows == 2
    assert reprice(unpriced, RowSelection(start=day, end=day), dry_run=True).rows == 1
    assert reprice(unpriced, RowSelection(start=date(2030, 1, 1)), dry_run=True).rows == 0


def test_what_no_price_is_known_for_stays_unpriced_and_is_counted(unpriced: Home) -> None:
    report = reprice(unpriced, RowSelection())
    assert (report.rows, report.still_unpriced) == (0, 3)


def test_the_price_in_force_when_the_call_was_made_applies(home: Path) -> None:
    cheaper_from = datetime(2026, 9, 10, tzinfo=UTC)
    noon = timedelta(hours=12)
    answer = {"model": "deepseek-v4-flash", "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0}}
    with CostTracker(home) as tracker:
        records = [
            tracker.record(
                llm_response=LLMResponse.from_provider(answer | {"id": str(at)}, provider="deepseek"),
                user=1,
                trackable=("Assignment", 1),
                request_type="generate_rubric",
                prompt="p",
                occurred_at=at,
            )
            for at in (cheaper_from - noon, cheaper_from + noon)
        ]
    assert records[0].cost_usd != records[1].cost_usd
    assert reprice(Home(home), RowSelection(restate=True)).rows == 0


def test_a_stream_completed_after_its_repricing_costs_what_the_complete_one_costs(home: Path) -> None:
    with CostTracker(home, on_unknown_model="record") as tracker:
        record(tracker, body(1000, 10, model="school-own-grader", id="stream"), status="partial")
        seal(Home(home))
        write_price(home, 1)
        reprice(Home(home), RowSelection())
    with CostTracker(home) as tracker:
        complete = record(tracker, body(1000, 100, model="school-own-grader", id="stream"))
    seal(Home(home))
    rows = ledger(home)
    assert rows["cost_usd"].sum() == complete.cost_usd == Decimal("0.0012")
    assert rows["token_count"].sum() == 1100
    assert (rows["charge_class"] == "usage").sum() == 1


def test_restating_leaves_what_a_provider_reported_and_keeps_estimates_estimated(home: Path) -> None:
    usage = Usage(input_tokens=1000, output_tokens=100)
    reported = LLMResponse(provider="openai", model="gpt-4o", usage=usage, provider_cost=Decimal("0.5"))
    broken_off = LLMResponse(provider="openai", model="gpt-4o", usage=usage, status="partial", estimated=True)
    with CostTracker(home, cost_source="provider") as tracker:
        for response in (reported, broken_off):
            tracker.record(
                llm_response=response,
                user=1,
                trackable=("Assignment", 1),
                request_type="generate_rubric",
                prompt="p",
                occurred_at=NOON,
            )
    discount = '[[discount]]\nprovider = "openai"\npercent = 50\n'
    (home / "prices.toml").write_text(discount, encoding="utf-8")
    assert reprice(Home(home), RowSelection(restate=True)).rows == 1
    corrections = ledger(home).filter(pl.col("charge_class") == "correction")
    assert corrections["pricing_status"].to_list() == corrections["corrects_pricing_status"].to_list() == ["estimated"]
    assert reprice(Home(home), RowSelection(restate=True)).rows == 0


def test_restating_brings_rows_of_earlier_rules_to_todays_and_the_dry_run_says_so_by_assumption(home: Path) -> None:
    """Searches for reranking at a model without a rate for them: an earlier version called that plainly priced."""
    usage = Usage(input_tokens=1000, output_tokens=100, other_units={"rerank_searches": 3})
    arguments = {"user": 1, "trackable": ("Assignment", 1), "request_type": "generate_rubric", "prompt": "p"}
    with CostTracker(home) as tracker:
        answer = LLMResponse(provider="openai", model="gpt-4o", usage=usage)
        recorded = tracker.record(llm_response=answer, occurred_at=NOON, **arguments)
        record(tracker, body(1000, 100, id="plain"))
        earlier = recorded.model_copy(
            update={"record_id": "f" * 32, "pricing_status": "priced", "price_assumptions": None}
        )
        tracker._journal.append(record_line(earlier, None))
    whole = recorded.cost_usd
    assert whole is not None
    foreseen = reprice(Home(home), RowSelection(restate=True), dry_run=True)
    resting = foreseen.by_assumption["unpriced_unit"]
    assert (resting.calls_before, resting.usd_before) == (1, whole)
    assert (resting.calls_after, resting.usd_after) == (2, 2 * whole)
    assert (foreseen.by_assumption["priced"].calls_before, foreseen.by_assumption["priced"].calls_after) == (2, 1)
    assert (ledger(home)["charge_class"] == "usage").all()

    done = reprice(Home(home), RowSelection(restate=True))
    assert (done.rows, done.difference_usd) == (foreseen.rows, 0) == (1, 0)
    (correction,) = ledger(home).filter(charge_class="correction").iter_rows(named=True)
    assert (correction["cost_usd"], correction["corrects_record_id"]) == (0, "f" * 32)
    assert (correction["pricing_status"], correction["corrects_pricing_status"]) == ("estimated", "priced")
    assert correction["price_assumptions"] == recorded.price_assumptions
    assert reprice(Home(home), RowSelection(restate=True)).rows == 0


def test_rows_corrected_twice_in_fractional_units_are_restated_exactly_in_any_decimal_context(home: Path) -> None:
    def transcribe(tracker: CostTracker, seconds: str) -> Decimal | None:
        usage = Usage(other_units={"audio_seconds": Decimal(seconds), "input_audio_seconds": Decimal(seconds)})
        answer = LLMResponse(provider="groq", model="whisper-large-v3", usage=usage, id="stream")
        arguments = {"user": 1, "trackable": ("Assignment", 1), "request_type": "generate_rubric", "prompt": "p"}
        return tracker.record(llm_response=answer, occurred_at=NOON, **arguments).cost_usd

    with CostTracker(home) as tracker:
        for seconds in ("20.5", "1234.25", "98765.125"):
            full_price = transcribe(tracker, seconds)
            seal(Home(home))
    assert ledger(home)["cost_usd"].sum() == full_price
    (home / "prices.toml").write_text('[[discount]]\nprovider = "groq"\npercent = 50\n', encoding="utf-8")
    with localcontext(Context(prec=3)):
        assert reprice(Home(home), RowSelection(restate=True)).rows == 1
        assert reprice(Home(home), RowSelection(restate=True)).rows == 0
    assert abs(ledger(home)["cost_usd"].sum() * 2 - full_price) <= Decimal("1e-12")


def test_a_row_from_a_batch_stays_priced_as_batch_even_where_its_price_file_is_gone(home: Path) -> None:
    line = {"custom_id": "a", "response": {"status_code": 200, "body": body(1000, 100, id="in-a-batch")}}
    with CostTracker(home) as tracker:
        recorded = record(tracker, line)
    assert recorded.price_context == '{"processing": "batch"}'
    for kept in (home / "prices").iterdir():
        kept.unlink()
    assert reprice(Home(home), RowSelection(restate=True)).rows == 0


def test_a_call_that_was_answered_after_all_gets_its_price_too(home: Path) -> None:
    """It was looked at as it was first sealed, without any usage, and stayed unpriced for ever."""
    failed = LLMResponse.failed(provider="openai", model="school-own-grader", error_type="Timeout")
    for answer in (failed, LLMResponse.from_provider(OWN, provider="openai")):
        with CostTracker(home, on_unknown_model="record") as tracker:
            record(tracker, answer, idempotency_key="in the end")
        seal(Home(home))
    write_price(home, 1)
    report = reprice(Home(home), RowSelection())
    assert (report.rows, report.still_unpriced) == (1, 0)
    assert ledger(home)["cost_usd"].sum() == Decimal("0.0012")
    assert ledger(home)["corrects_pricing_status"].to_list() == [None, "failed", "unpriced"]
    with Manifest(Home(home)) as manifest:
        assert sorted(segment.unpriced_requests for segment in manifest.segments()) == [-1, 0, 1]
