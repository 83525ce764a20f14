"""What went wrong in others' books, once each, by where it was seen."""

import errno
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from provider_answers import ANTHROPIC, CHAT, GEMINI

from tracking import CostCalculator, CostTracker, LedgerError, LLMResponse, UnknownModelError, Usage

JournalReader = Callable[[Path], list[dict[str, Any]]]
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def record(tracker: CostTracker, llm_response: object, **options: Any) -> Any:
    required = {"trackable": ("Assignment", 1), "user": 1, "request_type": "generate_rubric", "prompt": "p"}
    return tracker.record(llm_response=llm_response, **{"occurred_at": AT} | required | options)


def cost(model: str, provider: str = "openai", at: datetime = AT, **counts: Any) -> Decimal:
    usd = CostCalculator().cost(LLMResponse(provider=provider, model=model, usage=Usage(**counts)), at=at).usd
    assert usd is not None
    return usd


def test_cached_tokens_are_not_added_to_an_input_that_holds_them(tracker: CostTracker) -> None:
    """langfuse#12306, conductor#427: an input of 1,200 with 1,024 of them cached was billed as 2,224."""
    row = record(tracker, CHAT)
    assert (row.input_tokens, row.cache_read_tokens, row.token_count) == (1200, 1024, 1280)
    assert row.cost_usd == Decimal("0.00252")


def test_cached_tokens_are_added_to_an_input_that_does_not_hold_them(tracker: CostTracker) -> None:
    """The same case seen from Anthropic's side, whose `input_tokens` are only the uncached ones."""
    row = record(tracker, ANTHROPIC)
    assert row.input_tokens == 10 + 1000 + 300
    assert row.token_count == row.input_tokens + 50


def test_output_is_never_total_minus_input(tracker: CostTracker) -> None:
    """phoenix#10783: totals follow another convention than their parts, so nothing is derived from them."""
    for total in (1280, 10**6, 0, None):
        row = record(tracker, CHAT | {"usage": CHAT["usage"] | {"total_tokens": total}})
        assert (row.output_tokens, row.token_count) == (80, 1280)
    gemini = LLMResponse.from_provider(GEMINI | {"usageMetadata": GEMINI["usageMetadata"] | {"totalTokenCount": 5}})
    assert gemini.usage.output_tokens == 100


def test_the_row_holds_the_instant_not_a_local_day(tracker: CostTracker, home: Path, journal_records: Any) -> None:
    """litellm#29568, #31831: a day in another zone counted twice or not at all."""
    for text in ("2026-11-20T23:30:00-08:00", "2026-11-21T07:30:00+00:00", "2026-11-21T18:15:00+10:45"):
        record(tracker, CHAT, occurred_at=datetime.fromisoformat(text))
    assert {row["occurred_at"] for row in journal_records(home)} == {"2026-11-21T07:30:00Z"}


@pytest.mark.parametrize("no_id", [None, "", "None"])
def test_answers_without_an_id_do_not_collide(tracker: CostTracker, no_id: object) -> None:
    """litellm#28376, #39749: `id: null` became the text "None" and rows collided."""
    rows = [record(tracker, CHAT | {"id": no_id}) for _ in range(3)]
    assert len({row.record_id for row in rows}) == 3
    assert {row.event_key for row in rows} == {None}


def test_a_reused_id_keeps_both_rows(tracker: CostTracker) -> None:
    """litellm#28376: providers reuse ids; the row's key holds provider, id and usage."""
    one = record(tracker, CHAT)
    other = record(tracker, CHAT | {"usage": CHAT["usage"] | {"completion_tokens": 81}})
    assert one.record_id != other.record_id


def test_retrieving_an_answer_again_is_the_same_row(tracker: CostTracker) -> None:
    """litellm#17814: fetching a stored response billed it again."""
    one = record(tracker, CHAT)
    again = record(tracker, CHAT | {"choices": []}, occurred_at=AT.replace(hour=13), prompt="another")
    assert one.record_id == again.record_id


def test_nothing_is_acknowledged_before_it_is_written(
    tracker: CostTracker, home: Path, monkeypatch: pytest.MonkeyPatch, journal_records: JournalReader
) -> None:
    """litellm#33872, langfuse#16017: a buffer popped, or a "seen" set filled, before the write that then failed."""
    import os

    record(tracker, CHAT)
    real = os.write
    room = iter([100])

    def half(descriptor: int, data: bytes) -> int:
        try:
            return real(descriptor, data[: next(room)])
        except StopIteration:
            raise OSError(errno.ENOSPC, "No space left on device") from None

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(LedgerError):
        record(tracker, CHAT | {"id": "r-2"})
    monkeypatch.undo()
    retried = record(tracker, CHAT | {"id": "r-2"})
    assert [row["record_id"] for row in journal_records(home)][-1] == retried.record_id
    assert len(journal_records(home)) == 2


@pytest.mark.parametrize("count", [0, None])
def test_zero_is_not_missing_and_missing_is_not_zero(
    tracker: CostTracker, home: Path, count: int | None, journal_records: JournalReader
) -> None:
    """litellm#37992: an explicit 0 was treated as missing."""
    usage = CHAT["usage"] | {"prompt_tokens_details": {"cached_tokens": count}, "completion_tokens": 0}
    record(tracker, CHAT | {"usage": usage | {"completion_tokens_details": None}})
    (row,) = journal_records(home)
    assert (row["cache_read_tokens"], row["output_tokens"]) == (count, 0)
    assert row["cache_write_tokens"] is None
    assert record(tracker, LLMResponse(provider="openai", model="gpt-4o", usage=Usage())).token_count is None


def test_an_unpriced_model_is_null_not_zero_dollars(home: Path, journal_records: JournalReader) -> None:
    """litellm#35914: a model without a price was shown as $0: $1.16 for some $185."""
    unknown = CHAT | {"model": "our-own-model"}
    with CostTracker(home, on_unknown_model="record") as tracker:
        row = record(tracker, LLMResponse.from_provider(unknown, provider="openai"))
        assert (row.cost_usd, row.micro_usd, row.dollars, row.price_id) == (None, None, None, None)
    assert journal_records(home)[0]["cost_usd"] is None
    with CostTracker(home) as tracker, pytest.raises(UnknownModelError):
        record(tracker, LLMResponse.from_provider(unknown, provider="openai"))


def test_a_partial_answer_and_its_final_one_share_the_event(tracker: CostTracker) -> None:
    """ccusage#938: the first, partial snapshot of a stream won; the key that lets the complete one win."""
    partial = record(tracker, CHAT | {"usage": CHAT["usage"] | {"completion_tokens": 30}}, status="partial")
    final = record(tracker, CHAT)
    assert partial.event_key == final.event_key
    assert partial.record_id != final.record_id
    assert (partial.status, final.status) == ("partial", "ok")


def test_the_price_is_pinned_to_the_row(tracker: CostTracker, home: Path) -> None:
    """ccusage#1636: a closed month changed when prices did. Each row names its price; each price is kept, once."""
    rows = [record(tracker, CHAT), record(tracker, CHAT), record(tracker, ANTHROPIC)]
    files = {path.name for path in (home / "prices").iterdir()}
    assert files == {f"{row.price_id}.json" for row in rows}
    assert len(files) == 2
    rates = {
        rate["unit"]: rate for rate in json.loads((home / "prices" / f"{rows[0].price_id}.json").read_text())["rates"]
    }
    assert Decimal(rates["output_tokens"]["usd"]) / Decimal(rates["output_tokens"]["per"]) == Decimal("0.00001")


def test_a_pinned_price_is_never_written_anew(tracker: CostTracker, home: Path) -> None:
    row = record(tracker, CHAT)
    path = home / "prices" / f"{row.price_id}.json"
    before = path.stat()
    with CostTracker(home) as another:
        assert record(another, CHAT).price_id == row.price_id
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_price_in_force_when_the_call_was_made_applies(tracker: CostTracker) -> None:
    """langfuse#12184: what counts is the instant of the call, not of the recording, nor the answer's own."""
    from genai_prices.data_snapshot import get_snapshot

    dated = [
        (provider.id, model.id, model.prices[-1].constraint.start_date)
        for provider in get_snapshot().providers
        for model in provider.models
        if isinstance(model.prices, list) and hasattr(model.prices[-1].constraint, "start_date")
    ]
    changed = 0
    for provider, model, start in dated:
        after = datetime(start.year, start.month, start.day, tzinfo=UTC)
        before = datetime.fromtimestamp(after.timestamp() - 1, UTC)
        response = LLMResponse(provider=provider, model=model, usage=Usage(input_tokens=1000, output_tokens=1000))
        try:
            prices = [CostCalculator().cost(response, at=at).price_id for at in (before, after)]
        except (UnknownModelError, ValueError):
            continue
        changed += prices[0] != prices[1]
    assert changed > 0


def test_the_long_context_tier_is_one_for_the_request() -> None:
    """tokscale#862, Helicone#5779: it was applied to the margin, or to each bucket by itself."""
    model = "claude-sonnet-4-5"
    at_boundary = cost(model, "anthropic", input_tokens=200_000, cache_read_tokens=150_000, output_tokens=1000)
    assert at_boundary == (50_000 * 3 + 150_000 * Decimal("0.3") + 1000 * 15) / Decimal(1_000_000)
    above = cost(model, "anthropic", input_tokens=200_001, cache_read_tokens=150_000, output_tokens=1000)
    assert above == (50_001 * 6 + 150_000 * Decimal("0.6") + 1000 * Decimal("22.5")) / Decimal(1_000_000)


def test_many_processes_worth_of_calls_are_counted_once_each(
    tracker: CostTracker, home: Path, journal_records: JournalReader
) -> None:
    """litellm#28247, #34732: shared counters lost or multiplied spend; rows are only ever appended."""
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda number: record(tracker, CHAT | {"id": f"r-{number}"}), range(200)))
    written = journal_records(home)
    assert sorted(row["record_id"] for row in written) == sorted(row.record_id for row in rows)
    assert sum(Decimal(row["cost_usd"]) for row in written) == 200 * Decimal("0.00252")


def test_a_service_tier_set_by_hand_is_not_billed_as_standard(tracker: CostTracker) -> None:
    """Found in review: an LLMResponse built by hand was billed at the standard price whatever its tier."""
    by_hand = LLMResponse(
        provider="openai", model="gpt-5", usage=Usage(input_tokens=1000, output_tokens=10), service_tier="flex"
    )
    body = {
        "model": "gpt-5",
        "service_tier": "flex",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010},
    }
    standard = cost("gpt-5", input_tokens=1000, output_tokens=10)
    assert record(tracker, by_hand).cost_usd == record(tracker, body).cost_usd < standard


def test_an_llm_response_may_go_to_another_process() -> None:
    """Found in review: a usage could be neither pickled nor copied."""
    import copy
    import dataclasses
    import pickle

    response = LLMResponse.from_provider(ANTHROPIC)
    assert pickle.loads(pickle.dumps(response)) == response
    assert copy.deepcopy(response) == response
    assert dataclasses.asdict(response)["usage"]["other_units"] == {"cache_write_5m_tokens": 100, "web_searches": 2}
