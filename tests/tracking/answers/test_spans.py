"""What OpenTelemetry's span attributes say of a call, by their current and older names."""

from typing import Any

import pytest
from provider_answers import CHAT

from tracking import LLMResponse, ResponseError, Usage, UsageError

CURRENT_SPAN = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ("stop",),
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 80,
    "gen_ai.usage.cache_read.input_tokens": 1024,
    "gen_ai.usage.reasoning.output_tokens": 30,
    "openai.response.service_tier": "flex",
}
OLDER_SPAN = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.prompt_tokens": 1200,
    "gen_ai.usage.completion_tokens": 80,
    "gen_ai.usage.cache_read_input_tokens": 1024,
    "gen_ai.usage.details.reasoning_tokens": 30,
}
SPAN_USAGE = Usage(input_tokens=1200, cache_read_tokens=1024, output_tokens=80, reasoning_tokens=30)


@pytest.mark.parametrize("attributes", [CURRENT_SPAN, OLDER_SPAN])
def test_span_attributes_by_their_current_and_older_names(attributes: dict[str, Any]) -> None:
    response = LLMResponse.from_provider(attributes)
    assert (response.provider, response.model, response.usage) == ("openai", "gpt-4o-2024-08-06", SPAN_USAGE)
    assert response.price_context == ({"service_tier": "flex"} if attributes is CURRENT_SPAN else {})


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("az.ai.openai", "azure"),
        ("azure.ai.openai", "azure"),
        ("azure.ai.inference", "azure"),
        ("aws.bedrock", "aws"),
        ("gcp.gemini", "google"),
        ("gcp.vertex_ai", "google"),
        ("gcp.gen_ai", "google"),
        ("vertex_ai", "google"),
        ("mistral_ai", "mistral"),
        ("x_ai", "x-ai"),
        ("xai", "x-ai"),
        ("perplexity", "perplexity"),
    ],
)
def test_the_names_opentelemetry_gives_providers(name: str, provider: str) -> None:
    assert LLMResponse.from_provider(CURRENT_SPAN | {"gen_ai.provider.name": name}).provider == provider
    assert LLMResponse.from_provider(CHAT, provider=name).provider == provider


def test_a_span_of_a_provider_that_no_catalogue_knows_keeps_its_name() -> None:
    response = LLMResponse.from_provider(CURRENT_SPAN | {"gen_ai.provider.name": "ibm.watsonx.ai"})
    assert (response.provider, response.usage) == ("ibm.watsonx.ai", SPAN_USAGE)


def test_a_span_without_usage_is_refused() -> None:
    with pytest.raises(ResponseError, match=r"gen_ai\.usage\.input_tokens"):
        LLMResponse.from_provider({"gen_ai.system": "openai"})
    with pytest.raises(UsageError, match="is a bool"):
        LLMResponse.from_provider(CURRENT_SPAN | {"gen_ai.usage.input_tokens": True})


@pytest.mark.parametrize("operation", ["invoke_agent", "create_agent", "execute_tool", "INVOKE_AGENT"])
def test_a_span_around_calls_makes_no_row(operation: str) -> None:
    span = {"gen_ai.operation.name": operation, "gen_ai.system": "openai", "gen_ai.usage.input_tokens": 300}
    with pytest.raises(ResponseError, match="around calls of models"):
        LLMResponse.from_provider(span)


@pytest.mark.parametrize("operation", ["chat", "text_completion", "generate_content", "embeddings", "response", None])
def test_a_span_of_a_call_makes_one(operation: str | None) -> None:
    span = {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 300}
    span |= {} if operation is None else {"gen_ai.operation.name": operation}
    assert LLMResponse.from_provider(span).usage.input_tokens == 300


def test_cached_input_that_stands_beside_a_spans_input_is_added_and_said() -> None:
    span = {
        "gen_ai.system": "aws.bedrock",
        "gen_ai.request.model": "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 2000,
    }
    response = LLMResponse.from_provider(span)
    assert response.usage == Usage(input_tokens=2010, cache_read_tokens=2000, output_tokens=100)
    assert response.assumptions == ({"totals_disagree": {"cache_read_tokens": 2000, "input_tokens": 10}},)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("traceloop.span.kind", "workflow"),
        ("traceloop.span.kind", "task"),
        ("openinference.span.kind", "CHAIN"),
        ("langfuse.observation.type", "agent"),
        ("gen_ai.operation.name", "retrieval"),
    ],
)
def test_the_words_of_other_instrumentations_for_what_lies_around_calls(kind: str, value: str) -> None:
    with pytest.raises(ResponseError, match=value):
        LLMResponse.from_provider({kind: value, "gen_ai.system": "openai", "gen_ai.usage.input_tokens": 300})


def test_a_span_without_a_kind_is_an_agents_where_it_names_one_and_nothing_of_an_answer() -> None:
    span = {"agent_name": "grader", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"}
    span |= {"gen_ai.usage.input_tokens": 300}
    with pytest.raises(ResponseError, match="'agent' lies around calls"):
        LLMResponse.from_provider(span)
    assert LLMResponse.from_provider(span | {"gen_ai.response.model": "gpt-4o"}).usage.input_tokens == 300


def test_the_searches_that_pydantics_spans_tell_are_counted() -> None:
    response = LLMResponse.from_provider(CURRENT_SPAN | {"gen_ai.usage.details.web_search_requests": 2})
    assert response.usage.other_units == {"web_searches": 2}
