"""Every source `from_provider` reads: the SDKs' own objects, other libraries' objects, and shapes given as dicts."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pickle import dumps, loads
from types import SimpleNamespace
from typing import Any

import pytest
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot
from provider_answers import ANTHROPIC, CHAT, GEMINI, RESPONSES
from sdk_objects import chat, gemini, gemini_dumped, openrouter_chat, pydantic_ai_usage
from sdk_readings import SOURCES

from tracking import ArgumentError, CostCalculator, LLMResponse, ResponseError, Usage, UsageError

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_is_read_exactly(source: str) -> None:
    package, make, provider, model, expected = SOURCES[source]
    pytest.importorskip(package)
    response = LLMResponse.from_provider(make(), provider, model)
    assert (response.provider, response.model, response.id, response.usage) == expected
    assert response.status == "ok"


@pytest.mark.parametrize("source", ["groq", "mistral", "azure", "openai images", "openai transcription by duration"])
def test_an_sdk_object_costs_what_genai_prices_says_of_its_body(source: str) -> None:
    package, make, provider, model, (known, named, _, _) = SOURCES[source]
    pytest.importorskip(package)
    made = make()
    body = made.model_dump(mode="json") | {"model": named}
    catalogued = get_snapshot().find_provider(None, known, None)
    costs = set()
    for flavor in {extractor.api_flavor for extractor in catalogued.extractors}:
        try:
            _, usage = catalogued.extract_usage(body, api_flavor=flavor)
        except ValueError:
            continue
        costs.add(calc_price(usage, named, provider_id=known, genai_request_timestamp=AT).total_price)
    assert CostCalculator().cost(LLMResponse.from_provider(made, provider, model), at=AT).usd in costs


def test_gemini_object_and_its_dump_read_alike() -> None:
    pytest.importorskip("google.genai")
    read = LLMResponse.from_provider(gemini())
    assert read == LLMResponse.from_provider(gemini_dumped())
    assert (read.text, read.finish_reason) == ("Four criteria", "STOP")
    assert read.created == datetime(2025, 11, 22, 8, 26, 40, 123456, tzinfo=UTC)


def test_the_providers_own_cost_is_kept_exactly() -> None:
    response = LLMResponse.from_provider(openrouter_chat())
    assert response.provider_cost == Decimal("0.00012345")
    usage = CHAT["usage"] | {"cost": {"total_cost": 0.006}}
    assert LLMResponse.from_provider(CHAT | {"usage": usage}, "perplexity").provider_cost == Decimal("0.006")
    assert LLMResponse.from_provider(CHAT | {"usage": usage}, "openai").provider_cost is None


@pytest.mark.parametrize("cost", ["free", True, float("nan"), -1, []])
def test_a_reported_cost_that_is_none_is_left_out(cost: object) -> None:
    body = CHAT | {"usage": CHAT["usage"] | {"cost": cost}}
    assert LLMResponse.from_provider(body, "openrouter").provider_cost is None


def test_pydantic_ai_usage_needs_its_provider() -> None:
    pytest.importorskip("pydantic_ai")
    with pytest.raises(ArgumentError, match="Pydantic AI's usage does not name it"):
        LLMResponse.from_provider(pydantic_ai_usage(), model="gpt-4o")


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("deepseek-chat", "deepseek"),
        ("grok-4", "x-ai"),
        ("llama-3.3-70b-versatile", "groq"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "together"),
        ("accounts/fireworks/models/deepseek-v3", "fireworks"),
        ("sonar", "perplexity"),
        ("text-embedding-3-small", "openai"),
        ("ft:gpt-4o-mini-2024-07-18:acme::id", "openai"),
    ],
)
def test_the_model_tells_the_provider_of_a_chat_completion(model: str, provider: str) -> None:
    assert LLMResponse.from_provider(chat(model)).provider == provider


@pytest.mark.parametrize("provider", ["aws", "cohere", "google", "anthropic", "voyageai"])
def test_compatible_endpoints_answer_in_openais_shape(provider: str) -> None:
    assert LLMResponse.from_provider(chat("m"), provider).usage == Usage(input_tokens=70, output_tokens=12)


def test_several_sellers_are_named_not_guessed_and_the_caller_wins() -> None:
    body = chat("openai/gpt-oss-120b")
    with pytest.raises(ArgumentError, match="sold by several: baseten, groq,"):
        LLMResponse.from_provider(body)
    assert LLMResponse.from_provider(body, provider="groq").provider == "groq"
    assert LLMResponse.from_provider(ANTHROPIC, provider="azure").provider == "azure"


@pytest.mark.parametrize(("prefix", "provider"), [("msg_bdrk_01", "aws"), ("msg_vrtx_01", "google")])
def test_claude_sold_by_others_is_told_by_its_id(prefix: str, provider: str) -> None:
    assert LLMResponse.from_provider(ANTHROPIC | {"id": prefix}).provider == provider


@pytest.mark.parametrize(
    "line",
    [
        {"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "request_id": "r", "body": CHAT}},
        {"custom_id": "a", "result": {"type": "succeeded", "message": ANTHROPIC}},
        {"key": "a", "response": GEMINI},
    ],
)
def test_a_line_of_batch_results_is_priced_as_batch(line: dict[str, Any]) -> None:
    response = LLMResponse.from_provider(line)
    assert response.price_context["processing"] == "batch"
    assert response.id in {"chatcmpl-1", "msg_1", "g-1"}


def test_anthropics_batch_tier_and_region_come_along() -> None:
    usage = ANTHROPIC["usage"] | {"service_tier": "batch", "inference_geo": "us"}
    response = LLMResponse.from_provider(ANTHROPIC | {"usage": usage})
    assert (response.service_tier, response.region) == ("batch", "us")
    assert response.price_context == {"service_tier": "batch", "processing": "batch"}


def test_bodies_of_bedrocks_invoke_model() -> None:
    llama = {"generation": "Four", "prompt_token_count": 25, "generation_token_count": 8, "stop_reason": "stop"}
    response = LLMResponse.from_provider(llama, "aws", "meta.llama3-8b-instruct-v1:0")
    assert response.usage == Usage(input_tokens=25, output_tokens=8)
    body = BytesIO(b'{"usage": 1}')
    with pytest.raises(ResponseError, match="still to be read"):
        LLMResponse.from_provider({"body": body, "contentType": "application/json"}, "aws", "m")
    assert body.tell() == 0


@pytest.mark.parametrize("answer", [CHAT, RESPONSES, ANTHROPIC, GEMINI])
def test_any_object_with_attributes_is_read_as_the_mapping_it_stands_for(answer: dict[str, Any]) -> None:
    def as_object(value: Any) -> Any:
        if isinstance(value, dict):
            return SimpleNamespace(**{name: as_object(inner) for name, inner in value.items()})
        return [as_object(item) for item in value] if isinstance(value, list) else value

    assert LLMResponse.from_provider(as_object(answer)) == LLMResponse.from_provider(answer)


def test_the_text_is_read_when_asked_for_and_travels_without_the_providers_object() -> None:
    response = LLMResponse.from_provider(CHAT)
    assert "text" not in vars(response)
    assert deepcopy(response).text == loads(dumps(response)).text == response.text == "Four criteria"
    assert "answer" not in vars(response)


def test_an_llm_response_is_taken_as_it_is_and_may_be_changed_by_replace() -> None:
    response = LLMResponse.from_provider(CHAT | {"service_tier": "flex"})
    assert LLMResponse.from_provider(response) is response
    partial = replace(response, status="partial")
    assert (partial.status, partial.text, partial.price_context) == ("partial", response.text, response.price_context)
    assert replace(partial, status="ok") == response


def test_hugging_faces_answer_is_of_whichever_provider_the_caller_says() -> None:
    hub = pytest.importorskip("huggingface_hub")
    made = hub.ChatCompletionOutput.parse_obj_as_instance(chat("openai/gpt-oss-120b"))
    with pytest.raises(ArgumentError, match=r"sold by several: .*huggingface_together"):
        LLMResponse.from_provider(made)
    assert LLMResponse.from_provider(made, "huggingface_together").usage == Usage(input_tokens=70, output_tokens=12)


@pytest.mark.parametrize("broken", [{"prompt_tokens": "canary"}, {"prompt_tokens": -5}, {"completion_tokens": True}])
def test_no_error_shows_the_answer(broken: dict[str, Any]) -> None:
    body = chat("gpt-4o") | {"usage": {"prompt_tokens": 1, "completion_tokens": 2} | broken}
    with pytest.raises(UsageError, match=r"usage\.(prompt|completion)_tokens") as refusal:
        LLMResponse.from_provider(body)
    assert "Four" not in str(refusal.value)
