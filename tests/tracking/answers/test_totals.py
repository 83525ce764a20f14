"""An answer that contradicts itself was paid for: it makes a row, as its total says, or one that says so."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import CostCalculator, LLMResponse, Usage, UsageError
from tracking.answers.totals import OF_KINDS, Statement, reconciled
from tracking.usage import CATALOGUE_UNITS

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
COUNT = st.integers(0, 3000)
UNITS = [*CATALOGUE_UNITS, "cache_write_5m_tokens", *(unit for units in OF_KINDS.values() for unit in units)]


def chat(model: str = "m", **usage: Any) -> dict[str, Any]:
    return {"id": "a", "model": model, "choices": [], "usage": usage}


def read(provider: str, body: dict[str, Any]) -> tuple[int | None, int | None, int | None, int | None, Any]:
    response = LLMResponse.from_provider(body, provider)
    usage = response.usage
    told = dict(response.assumptions[0]) if response.assumptions else None
    return usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.reasoning_tokens, told


REASONING = {"completion_tokens_details": {"reasoning_tokens": 90}}


@pytest.mark.parametrize("provider", ["azure", "x-ai", "openrouter", "acme"])
@pytest.mark.parametrize(("completion", "total", "output"), [(1, 101, 91), (100, 200, 190), (100, 110, 100)])
def test_the_total_says_whether_reasoning_stands_inside_or_beside(
    provider: str, completion: int, total: int, output: int
) -> None:
    body = chat(prompt_tokens=10, completion_tokens=completion, total_tokens=total, **REASONING)
    assert read(provider, body) == (10, None, output, 90, None)


def test_without_a_total_reasoning_stands_where_the_provider_puts_it() -> None:
    body = chat(prompt_tokens=10, completion_tokens=100, **REASONING)
    assert read("x-ai", body) == (10, None, 190, 90, None)
    assert read("openai", body) == (10, None, 100, 90, None)


@pytest.mark.parametrize(("citations", "output"), [({}, 81066), ({"citation_tokens": 20016}, 101082)])
def test_perplexitys_total_leaves_out_what_it_bills_beside_the_completion(
    citations: dict[str, int], output: int
) -> None:
    body = chat(prompt_tokens=33, completion_tokens=7163, total_tokens=7196, reasoning_tokens=73903, **citations)
    assert read("perplexity", body) == (33, None, output, 73903, None)


def test_one_reasoning_token_too_many() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 11}}
    said = {"totals_disagree": {"output_reasoning_tokens": 11, "output_tokens": 10}}
    body = chat(prompt_tokens=40, completion_tokens=10, total_tokens=50, **details)
    assert read("openrouter", body) == (40, None, 10, 10, said)
    untold = chat(prompt_tokens=40, completion_tokens=10, **details)
    assert read("openrouter", untold) == (40, None, 11, 11, said)


@pytest.mark.parametrize("provider", ["openai", "groq", "acme"])
def test_cached_tokens_beside_the_prompt(provider: str) -> None:
    cached = {"prompt_tokens_details": {"cached_tokens": 2000}}
    confirmed = chat(prompt_tokens=10, completion_tokens=5, total_tokens=2015, **cached)
    assert read(provider, confirmed) == (2010, 2000, 5, None, None)
    told = {"totals_disagree": {"input_tokens": 10, "cache_read_tokens": 2000}}
    body = chat(prompt_tokens=10, completion_tokens=5, total_tokens=15, **cached)
    assert read(provider, body) == (2010, 2000, 5, None, told)


def test_more_cached_than_sent_at_xai_means_that_so_much_was_sent() -> None:
    """As recorded: 63 at 0.5, 960 at 0.05 and 256 (of pictures) at 0.2 USD a million are the 1307000 ticks it says."""
    body = chat(
        "grok-4-1-fast-non-reasoning",
        prompt_tokens=676,
        completion_tokens=63,
        total_tokens=739,
        prompt_text_tokens=420,
        prompt_image_tokens=256,
        cached_prompt_text_tokens=960,
        cost_in_usd_ticks=1307000,
    )
    response = LLMResponse.from_provider(body, "x-ai")
    assert response.usage == Usage(
        input_tokens=1216, cache_read_tokens=960, output_tokens=63, other_units={"input_image_tokens": 256}
    )
    rates = {63: Decimal("0.5"), 960: Decimal("0.05"), 256: Decimal("0.2")}
    assert response.provider_cost == sum(count * rate for count, rate in rates.items()) / 1_000_000
    assert response.assumptions


def test_tokens_named_as_read_and_as_written_are_read() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 2000}}
    body = chat(prompt_tokens=2100, completion_tokens=100, total_tokens=2200, **details)
    told = {"totals_disagree": {"input_tokens": 2100, "cache_read_tokens": 2000, "cache_write_tokens": 2000}}
    assert read("openrouter", body) == (2100, 2000, 100, None, told)


@pytest.mark.parametrize(
    ("provider", "model", "output"),
    [("google", "gemini-2.5-pro", 70), ("acme", "google/gemini-2.5-pro", 70), ("openai", "gpt-5", 10)],
)
def test_what_geminis_total_has_and_its_parts_lack_is_output_and_another_total_is_told(
    provider: str, model: str, output: int
) -> None:
    body = chat(model, prompt_tokens=40, completion_tokens=10, total_tokens=110)
    told = {"totals_disagree": {"total_tokens": 110, "input_tokens": 40, "output_tokens": 10}}
    assert read(provider, body) == (40, None, output, None, told)


def test_what_was_written_for_each_lifetime_is_at_least_what_was_written() -> None:
    written = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 50}
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 100, "cache_creation": written, "output_tokens": 5}
    response = LLMResponse.from_provider({"type": "message", "model": "m", "usage": usage}, "anthropic")
    assert (response.usage.cache_write_tokens, response.usage.cache_write_1h_tokens) == (150, 50)
    assert response.assumptions


def gemini(cached: int, *kinds: tuple[str, int]) -> dict[str, Any]:
    sent = sum(count for _, count in kinds)
    details = [{"modality": kind, "tokenCount": count} for kind, count in kinds]
    counts = {"promptTokenCount": sent, "candidatesTokenCount": 10, "totalTokenCount": sent + 10}
    usage = counts | {"cachedContentTokenCount": cached, "promptTokensDetails": details}
    return {"modelVersion": "gemini-2.5-flash", "usageMetadata": usage}


def test_cached_tokens_of_no_named_kind_are_divided_as_what_was_sent() -> None:
    details = {"cached_tokens": 600, "audio_tokens": 1000}
    body = chat("gemini-2.5-flash", prompt_tokens=1100, completion_tokens=10, prompt_tokens_details=details)
    for answer in (gemini(600, ("TEXT", 100), ("AUDIO", 1000)), body):
        response = LLMResponse.from_provider(answer, "google")
        assert response.usage.other_units["cache_audio_read_tokens"] in (545, 546)
        assert response.assumptions == ({"split_assumed": "cache_read_tokens"},)
        assert CostCalculator().cost(response, at=AT).pricing_status == "estimated"


def test_where_it_does_not_matter_of_which_kind_they_were_nothing_is_assumed() -> None:
    assert LLMResponse.from_provider(gemini(600, ("TEXT", 1000))).assumptions == ()
    assert LLMResponse.from_provider(gemini(600, ("TEXT", 100), ("IMAGE", 1000))).assumptions == ()
    response = LLMResponse.from_provider(gemini(600, ("AUDIO", 1000)))
    assert (response.assumptions, response.usage.other_units["cache_audio_read_tokens"]) == ((), 600)


@given(st.dictionaries(st.sampled_from(UNITS), COUNT), st.none() | COUNT, st.booleans(), st.booleans(), st.booleans())
def test_whatever_is_said_makes_counts_that_contradict_nothing(
    counts: dict[str, int], total: int | None, by_kind: bool, hides: bool, grows: bool
) -> None:
    apart = ("audio", "image") if by_kind else ()
    said = Statement(total=total, cached_apart=apart, hides_output=hides, grows_to_cached=grows)
    fitted, assumptions = reconciled(counts, said)
    assert all(count >= 0 for count in fitted.values())
    assert reconciled(fitted, Statement(grows_to_cached=grows))[0] == fitted
    Usage(**{unit.replace("output_reasoning", "reasoning"): fitted.get(unit) for unit in CATALOGUE_UNITS})
    changed = {unit for unit, count in counts.items() if fitted.get(unit) != count} - {*OF_KINDS["cache_read_tokens"]}
    if changed and not assumptions:  # then the total said which reading is right
        assert total
        assert changed <= {"input_tokens", "output_tokens"}


BILLABLE = {
    "openai": ("gpt-5-mini", "gpt-4o-audio-preview", "gpt-realtime"),
    "google": ("gemini-2.5-flash", "gemini-3-pro-preview", "gemini-2.5-flash-image"),
    "anthropic": ("claude-sonnet-4-5", "claude-opus-4-8"),
    "openrouter": ("openai/gpt-5-mini", "google/gemini-2.5-flash"),
}


def bodies(model: str, n: Any) -> dict[str, dict[str, Any]]:
    """Answers in each shape; `n` gives the next count."""
    kinds = {f"{kind}_tokens": n() for kind in ("text", "audio", "image")}
    cached = {f"{kind}_tokens": n() for kind in ("text", "audio", "image")}
    prompt = {"cached_tokens": n(), "cache_write_tokens": n()} | kinds
    completion = {"reasoning_tokens": n(), "audio_tokens": n(), "image_tokens": n()}
    written = {"ephemeral_5m_input_tokens": n(), "ephemeral_1h_input_tokens": n()}
    parts = {"prompt_tokens_details": prompt, "completion_tokens_details": completion}
    details = [{"modality": kind, "tokenCount": n()} for kind in ("TEXT", "AUDIO", "IMAGE", "VIDEO")]
    sent = {"input_tokens": n(), "output_tokens": n()}
    live = {"input_token_details": kinds | {"cached_tokens": n(), "cached_tokens_details": cached}}
    return {
        "chat": {"prompt_tokens": n(), "completion_tokens": n(), "total_tokens": n()} | parts,
        "messages": sent
        | {"cache_read_input_tokens": n(), "cache_creation_input_tokens": n()}
        | {"cache_creation": written},
        "realtime": sent | live | {"output_token_details": {"audio_tokens": n()}},
        "gemini": {"promptTokenCount": n(), "cachedContentTokenCount": n(), "candidatesTokenCount": n()}
        | {"promptTokensDetails": details},
    }


@settings(max_examples=300)
@given(st.data(), st.sampled_from(list(BILLABLE)), st.sampled_from(["chat", "messages", "gemini", "realtime"]))
def test_a_paid_answer_is_never_refused_for_its_parts(data: st.DataObject, provider: str, shape: str) -> None:
    model = data.draw(st.sampled_from(BILLABLE[provider]))
    usage = bodies(model, lambda: data.draw(COUNT))[shape]
    body = {"modelVersion": model, "usageMetadata": usage} if shape == "gemini" else {"model": model, "usage": usage}
    response = LLMResponse.from_provider(body, provider)
    assert CostCalculator().cost(response, at=AT).usd is not None


def test_counts_put_together_by_hand_are_still_refused() -> None:
    with pytest.raises(UsageError, match="exceeds input_tokens"):
        Usage(input_tokens=10, cache_read_tokens=2000)
