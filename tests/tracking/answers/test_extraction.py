"""Reading usage out of answers: every provider's shape, each count once, nothing derived."""

from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from provider_answers import ANTHROPIC, CHAT, CONVERSE, GEMINI, RESPONSES, SHAPES, catalogue_counts

from tracking import ArgumentError, LLMResponse, ResponseError, Usage, UsageError


def flavor_of(provider: str, body: dict[str, Any]) -> str:
    """The interface an answer came from, by the fields that tell them apart."""
    usage = body.get("usage", {})
    if provider == "cohere":
        return "default" if "billed_units" in usage else "embeddings"
    if provider == "google":
        return "default" if "usageMetadata" in body else "anthropic"
    if provider == "aws":
        return "default" if "inputTokens" in usage else "anthropic"
    if provider in {"openai", "azure"}:
        if "prompt_tokens" not in usage:
            return "responses"
        return "chat" if "completion_tokens" in usage else "embeddings"
    flavors = [extractor.api_flavor for extractor in get_snapshot().find_provider(None, provider, None).extractors]
    return "chat" if "chat" in flavors and "prompt_tokens" in usage else flavors[0]


def test_every_real_answer_is_read_as_genai_prices_reads_it_and_to_its_end(
    real_responses: list[dict[str, Any]],
) -> None:
    """Where genai-prices has no extractor of that shape for a provider, some parts of an answer are ours alone."""
    assert len(real_responses) == 783
    beside: set[str] = set()
    contradicting: list[dict[str, Any]] = []
    for line in real_responses:
        provider, body = line["provider"], line["response"]
        catalogue_provider = get_snapshot().find_provider(None, provider, None)
        try:
            model, usage = catalogue_provider.extract_usage(body, api_flavor=flavor_of(provider, body))
        except ValueError:
            with pytest.raises(ResponseError):
                LLMResponse.from_provider(body, provider=provider)
            continue
        response = LLMResponse.from_provider(body, provider=provider)
        assert response.model == model, line
        if response.assumptions:
            contradicting.append(body["usage"])
            continue
        counts = catalogue_counts(response.usage)
        assert counts.items() >= vars(usage).items(), line
        beside |= counts.keys() - vars(usage).keys()
    assert contradicting == [{"completion_tokens": 12, "prompt_tokens": 35, "total_tokens": 109}]
    assert beside == {
        *("cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens", "web_searches"),
        *("input_image_tokens", "input_video_tokens", "output_image_tokens"),
        *("advisor_input_tokens", "advisor_output_tokens", "server_tool_calls"),
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_read_whole(shape: str) -> None:
    provider, model, body, counts = SHAPES[shape]
    response = LLMResponse.from_provider(body, provider=provider, model=model)
    assert response.provider == provider
    assert response.usage == Usage(**counts)
    assert response.model == (model or body.get("model") or body.get("modelVersion"))


@pytest.mark.parametrize("body", [ANTHROPIC, CHAT, RESPONSES, GEMINI, CONVERSE])
def test_text_is_what_the_model_said_without_its_thoughts(body: dict[str, Any]) -> None:
    assert LLMResponse.from_provider(body, model="m").text == "Four criteria"


@pytest.mark.parametrize(
    ("body", "provider", "identity", "finish"),
    [
        (ANTHROPIC, "anthropic", "msg_1", "end_turn"),
        (CHAT, "openai", "chatcmpl-1", "stop"),
        (RESPONSES, "openai", "resp_1", "completed"),
        (GEMINI, "google", "g-1", "STOP"),
        (CONVERSE, "aws", None, "end_turn"),
    ],
)
def test_provider_id_and_finish_reason_are_found(
    body: dict[str, Any], provider: str, identity: str | None, finish: str
) -> None:
    response = LLMResponse.from_provider(body)
    assert (response.provider, response.id, response.finish_reason) == (provider, identity, finish)


@pytest.mark.parametrize("body", [CHAT, RESPONSES, GEMINI])
def test_the_providers_own_instant_is_read(body: dict[str, Any]) -> None:
    created = LLMResponse.from_provider(body).created
    assert created is not None
    assert created.replace(microsecond=0).isoformat() == "2025-11-22T08:26:40+00:00"


@pytest.mark.parametrize("created", [None, "yesterday", "2025-11-22T08:26:40", 0, -5, True, 1e300, 1763800000000, {}])
def test_an_instant_that_is_none_is_left_out(created: object) -> None:
    assert LLMResponse.from_provider(CHAT | {"created": created}).created is None


def test_service_tier_and_speed_select_the_price() -> None:
    usage = ANTHROPIC["usage"] | {"speed": "fast"}
    response = LLMResponse.from_provider(ANTHROPIC | {"usage": usage})
    assert response.service_tier == "standard"
    assert response.price_context == {"service_tier": "standard", "speed": "fast"}
    assert LLMResponse.from_provider(CHAT | {"service_tier": "flex"}).price_context == {"service_tier": "flex"}


@pytest.mark.parametrize("body", [{}, {"model": "gpt-4o"}, {"usage": None}, {"usage": {}}, {"usage": "12"}])
def test_an_answer_without_usage_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ResponseError, match="no usage in a shape known here in this answer of provider 'openai'"):
        LLMResponse.from_provider(body, provider="openai")


def test_a_refusal_lists_the_names_of_the_fields_seen_and_no_text() -> None:
    body = {"id": "canary-1", "output": "canary-2", "usage": {"tokens_in": 5, "canary 3": 1, "tokensOut": "canary-4"}}
    with pytest.raises(ResponseError, match=r"it has id, output, usage; usage has tokens_in, tokensOut$") as refusal:
        LLMResponse.from_provider(body, provider="acme")
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("answer", ["text", 5, None, object(), [CHAT], b"{}"])
def test_what_is_no_answer_is_refused_by_its_type(answer: object) -> None:
    with pytest.raises(ResponseError, match=type(answer).__name__):
        LLMResponse.from_provider(answer, provider="openai")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-1, "-1"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (2**63, str(2**63)),
        (True, "True"),
        ("12", "'12'"),
        (1.5, "1.5"),
        ([1], "list"),
    ],
)
def test_an_impossible_count_is_named_with_its_value(value: object, shown: str) -> None:
    body = CHAT | {"usage": CHAT["usage"] | {"prompt_tokens": value}}
    with pytest.raises(UsageError) as refusal:
        LLMResponse.from_provider(body, provider="openai")
    assert "prompt_tokens" in str(refusal.value) or "input_tokens" in str(refusal.value)
    assert shown in str(refusal.value)


def test_a_whole_float_is_a_count() -> None:
    body = CHAT | {"usage": CHAT["usage"] | {"prompt_tokens": 2000.0}}
    counted = LLMResponse.from_provider(body).usage.input_tokens
    assert counted == 2000
    assert type(counted) is int


def test_a_missing_provider_is_asked_for() -> None:
    with pytest.raises(ArgumentError, match="provider is not given"):
        LLMResponse.from_provider({"usage": {"prompt_tokens": 1}})


@pytest.mark.parametrize("name", ["usage", "model", "id", "created", "choices", "service_tier"])
@pytest.mark.parametrize("junk", [None, 5, "x", [], [1], {}, {"a": 1}, True])
def test_junk_in_any_field_is_read_or_refused_but_never_breaks(name: str, junk: object) -> None:
    try:
        response = LLMResponse.from_provider(CHAT | {name: junk}, provider="openai")
    except (ResponseError, UsageError, ArgumentError):
        assert name in {"usage", "model"}
    else:
        assert response.usage.input_tokens == 1200


def test_measures_that_are_not_whole_stay_exact() -> None:
    usage = Usage(other_units={"audio_seconds": 12.1, "input_document_pages": Decimal("3.0")})
    assert usage.other_units == {"audio_seconds": Decimal("12.1"), "input_document_pages": 3}
    assert usage.other_units_json() == '{"audio_seconds":12.1,"input_document_pages":3}'
