"""Settling: a record counts once, an event by its most complete row, a reused id by every row; however it is cut."""

from dataclasses import replace
from decimal import localcontext
from pathlib import Path

import polars as pl
import pytest
from deliveries import Delivery, Ledger, by_the_rule, deliveries, sealed_in_cuts
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import NOON, body, record, visible

from tracking import CostTracker, LLMUsageRecord
from tracking.home import Home
from warehouse.ledger.corrections import standing_calls
from warehouse.ledger.manifest import Conflict, Manifest
from warehouse.sealing.seal import seal


@given(sequence=deliveries)
@settings(max_examples=150)
def test_one_seal_holds_what_the_rule_says(sequence: list[Delivery]) -> None:
    assert sealed_in_cuts(sequence, []).totals() == by_the_rule(sequence)


@given(sequence=deliveries, cuts=st.lists(st.integers(1, 8), max_size=8))
@settings(max_examples=200)
def test_the_sums_are_the_same_however_deliveries_are_cut_into_seals(sequence: list[Delivery], cuts: list[int]) -> None:
    assert sealed_in_cuts(sequence, cuts).totals() == by_the_rule(sequence)


@given(
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=6),
    data=st.data(),
)
@settings(max_examples=100)
def test_a_growing_stream_counts_once_and_complete_in_whatever_order_it_is_sealed(
    steps: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Its snapshots may stand in journals that are sealed in any order, some of them more than once."""
    stream: list[Delivery] = []
    for step in steps:
        totals = [
            sum(part)
            for part in zip(
                *[(s.input_tokens or 0, s.output_tokens or 0, s.searches or 0) for s in stream[-1:]], step, strict=True
            )
        ]
        stream.append(Delivery("e", "ann", totals[0], totals[1], searches=totals[2]))
    rows = [snapshot.row(recorded) for recorded, snapshot in enumerate(stream)]
    order = data.draw(st.permutations(rows + data.draw(st.lists(st.sampled_from(rows), max_size=3))))
    ledger = Ledger()
    while order:
        size = data.draw(st.integers(1, len(order)))
        ledger.seal(order[:size])
        order = order[size:]
    last = stream[-1]
    tokens = (last.input_tokens or 0) + (last.output_tokens or 0)
    expected = (1, 0, last.input_tokens, last.output_tokens, tokens, last.cost, last.searches)
    assert ledger.totals() == {("e", "ann"): expected}
    assert ledger.conflicts == []


@given(
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=5),
    clocks=st.lists(st.integers(0, 6), min_size=6, max_size=6),
    fewer=st.integers(0, 3),
    data=st.data(),
)
@settings(max_examples=200)
def test_what_a_partial_row_covers_never_adds_whatever_the_order_or_the_clock(
    steps: list[tuple[int, int]], clocks: list[int], fewer: int, data: st.DataObject
) -> None:
    """The final row was recorded first, or by a clock that stepped back: it counted beside its own partial one.

    An estimate may have been of more than was used in the end.
    """
    totals = [tuple(map(sum, zip(*steps[: count + 1], strict=True))) for count in range(len(steps))]
    *snapshots, last = (Delivery("e", "ann", *total, status="partial", estimated=fewer > 0) for total in totals)
    final = replace(last, status="ok", estimated=False, output_tokens=max((last.output_tokens or 0) - fewer, 0))
    rows = [each.row(clock) for each, clock in zip([*snapshots, last, final], clocks, strict=False)]
    order = data.draw(st.permutations(rows))
    ledger = Ledger()
    while order:
        size = data.draw(st.integers(1, len(order)))
        ledger.seal(order[:size])
        order = order[size:]
    tokens = (final.input_tokens or 0) + (final.output_tokens or 0)
    assert ledger.totals() == {("e", "ann"): (1, 0, final.input_tokens, final.output_tokens, tokens, final.cost, 0)}
    assert ledger.conflicts == []
    (call,) = standing_calls(ledger.rows.drop("prompt")).to_dicts()
    assert call["status"] == "ok"


@pytest.mark.parametrize("final_first", [False, True])
@pytest.mark.parametrize("seal_between", [False, True])
@pytest.mark.parametrize("input_tokens", [None, 1], ids=["unpriced", "priced"])
def test_a_final_row_stands_before_an_estimate_that_counts_other_things(
    final_first: bool, seal_between: bool, input_tokens: int | None
) -> None:
    """A stream that broke off may say nothing of its input; its output is an estimate, here of too much."""
    estimate = Delivery("e", "ann", input_tokens, 12, status="partial", estimated=True).row(0)
    final = Delivery("e", "ann", 10, 9)
    rows = [final.row(1), estimate] if final_first else [estimate, final.row(1)]
    ledger = Ledger()
    for batch in [[rows[0]], [rows[1]]] if seal_between else [rows]:
        ledger.seal(batch)
    assert ledger.totals() == by_the_rule([final])
    assert ledger.conflicts == []


def test_a_final_answer_that_cannot_be_priced_takes_no_price_away() -> None:
    ledger = Ledger()
    ledger.seal([Delivery("e", "ann", 10, 9, status="partial").row(0)])
    ledger.seal([Delivery("e", "ann", 10, 8, priced=False).row(1)])
    assert ledger.rows["cost_usd"].null_count() == 1
    assert len(ledger.conflicts) == 1


@given(sequence=deliveries, cuts=st.lists(st.integers(1, 8), max_size=8))
@settings(max_examples=60)
def test_delivering_everything_again_adds_nothing(sequence: list[Delivery], cuts: list[int]) -> None:
    ledger = sealed_in_cuts(sequence, cuts)
    before = ledger.rows
    again = [delivery.row(len(sequence) + recorded) for recorded, delivery in enumerate(sequence)]
    assert ledger.seal(again) == 0
    assert ledger.rows.equals(before)


@given(sequence=deliveries, cuts=st.lists(st.integers(1, 8), max_size=8))
@settings(max_examples=60)
def test_every_row_that_counts_is_a_valid_record_and_a_correction_names_one(
    sequence: list[Delivery], cuts: list[int]
) -> None:
    rows = sealed_in_cuts(sequence, cuts).rows
    kept = set(rows.filter(pl.col("charge_class") == "usage")["record_id"])
    for row in rows.drop("usage_date", "prompt").to_dicts():
        made = LLMUsageRecord.model_validate(row)
        if made.charge_class == "correction":
            assert made.corrects_record_id in kept
            assert made.occurred_at == NOON


def test_superseding_a_sealed_row_appends_the_difference() -> None:
    ledger = Ledger()
    partial, final = Delivery("e", "ann", 10, 2, searches=1), Delivery("e", "ann", 10, 9, searches=3)
    ledger.seal([partial.row(0)])
    ledger.seal([final.row(1)])
    correction = ledger.rows.filter(pl.col("charge_class") == "correction").to_dicts()[0]
    assert partial.cost is not None
    assert final.cost is not None
    assert (correction["input_tokens"], correction["output_tokens"], correction["token_count"]) == (0, 7, 7)
    assert correction["cost_usd"] == final.cost - partial.cost
    assert correction["other_units"] == '{"web_searches":2}'
    assert (correction["record_id"], correction["corrects_record_id"]) == (final.record_id, partial.record_id)
    assert ledger.rows.height == 2


def test_a_reused_id_counts_both_and_is_reported() -> None:
    ledger = Ledger()
    first, other = Delivery("e", "ann", 10, 2), Delivery("e", "ann", 4, 8)
    ledger.seal([first.row(0), other.row(1)])
    assert ledger.conflicts == [Conflict("e", other.record_id)]
    assert ledger.totals() == by_the_rule([first, other])
    assert ledger.totals()["e", "ann"][0] == 2


def test_the_same_id_for_another_user_counts_both() -> None:
    ledger = Ledger()
    ledger.seal([Delivery("e", "ann", 10, 2).row(0)])
    ledger.seal([Delivery("e", "bob", 20, 4).row(1)])
    assert {key: total[0] for key, total in ledger.totals().items()} == {("e", "ann"): 1, ("e", "bob"): 1}
    assert len(ledger.conflicts) == 1


def test_a_later_row_continues_the_most_complete_of_two_that_share_an_id() -> None:
    """Which one it was used to depend on the order of segments, and so did the total."""
    rows = [Delivery("e", "ann", tokens, 0) for tokens in (10, 5, 12, 20)]
    for cuts in ([], [1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]):
        ledger = sealed_in_cuts(rows, cuts)
        ledger.rows = ledger.rows.reverse()
        assert ledger.totals()["e", "ann"][2] == 25, cuts


def test_two_corrections_of_an_unpriced_row_make_it_priced_once() -> None:
    """Applied in the order of files instead of time, the row seemed unpriced still and was made priced twice."""
    unpriced = Delivery("e", "ann", 1, 0, priced=False)
    grown = [Delivery("e", "ann", 2, 0, priced=False), Delivery("e", "ann", 3, 0), Delivery("e", "ann", 4, 0)]
    ledger = Ledger()
    for recorded, delivery in enumerate([unpriced, *grown]):
        ledger.seal([delivery.row(recorded)])
        ledger.rows = ledger.rows.reverse()
    total = ledger.totals()["e", "ann"]
    assert total[:3] == (1, 0, 4)
    assert total[5] == grown[-1].cost


def test_fewer_of_another_unit_is_another_call() -> None:
    ledger = Ledger()
    ledger.seal([Delivery("e", "ann", 10, 2, searches=5).row(0)])
    ledger.seal([Delivery("e", "ann", 10, 3, searches=1).row(1)])
    assert ledger.totals()["e", "ann"][0] == 2
    assert ledger.totals()["e", "ann"][-1] == 6


def test_two_rows_of_one_instant_settle_the_same_either_way() -> None:
    small, large = Delivery("e", "ann", 1, 1).row(7), Delivery("e", "ann", 9, 9).row(7)
    for order in ([small, large], [large, small]):
        together, apart = Ledger(), Ledger()
        together.seal(order)
        for row in order:
            apart.seal([row])
        assert together.totals() == apart.totals() == by_the_rule([Delivery("e", "ann", 9, 9)])


def test_the_applications_decimal_context_does_not_round_corrections() -> None:
    ledger = Ledger()
    first, second = Delivery("e", "ann", 1_234_567, 1), Delivery("e", "ann", 7_654_321, 1)
    rows = [first.row(0), second.row(1)]
    with localcontext() as context:
        context.prec = 4
        ledger.seal(rows[:1])
        ledger.seal(rows[1:])
    assert ledger.rows["cost_usd"].sum() == second.cost


@pytest.mark.parametrize("seal_between", [False, True])
def test_a_final_answer_recorded_before_its_partial_one_counts_alone(home: Path, seal_between: bool) -> None:
    with CostTracker(home) as tracker:
        final = record(tracker, body(1000, 250, id="chatcmpl-1"))
        if seal_between:
            seal(tracker.home)
        record(tracker, body(1000, 10, id="chatcmpl-1"), status="partial")
        report = seal(tracker.home)
    assert (report.superseded, report.conflicts) == (1, 0)
    assert [row["record_id"] for row in visible(home)] == [final.record_id]


@pytest.mark.parametrize("seal_between", [False, True])
def test_a_stream_recorded_through_the_tracker_counts_its_final_answer(home: Path, seal_between: bool) -> None:
    with CostTracker(home) as tracker:
        record(tracker, body(1000, 10, id="chatcmpl-1"), status="partial", prompt="the prompt")
        if seal_between:
            seal(tracker.home)
        final = record(tracker, body(1000, 250, id="chatcmpl-1"), prompt="the prompt")
        report = seal(tracker.home)
    assert report.superseded == 1
    rows = visible(home)
    assert sum(row["cost_usd"] for row in rows) == final.cost_usd
    assert sum(row["token_count"] for row in rows) == 1250
    assert sum(row["charge_class"] == "usage" for row in rows) == 1
    with Manifest(Home(home)) as manifest:
        segments = manifest.segments()
    assert sum(segment.requests for segment in segments) == 1
    assert sum(segment.cost_usd for segment in segments) == final.cost_usd


def test_a_superseded_record_delivered_again_adds_nothing(home: Path) -> None:
    with CostTracker(home) as tracker:
        record(tracker, body(1000, 10, id="chatcmpl-1"))
        final = record(tracker, body(1000, 250, id="chatcmpl-1"))
        seal(tracker.home)
        record(tracker, body(1000, 10, id="chatcmpl-1"))
        record(tracker, body(1000, 250, id="chatcmpl-1"))
        report = seal(tracker.home)
    assert (report.rows, report.duplicates) == (0, 2)
    assert [row["record_id"] for row in visible(home)] == [final.record_id]


def test_calls_without_an_id_are_never_taken_for_one_another(home: Path) -> None:
    """litellm#39749: `id: null` became "None" and rows collided."""
    with CostTracker(home) as tracker:
        made = [record(tracker, body(id=identity)) for identity in (None, "", "None", None, "None")]
        seal(tracker.home)
    assert len(visible(home)) == len(made)
    assert all(row["event_key"] is None for row in visible(home))
