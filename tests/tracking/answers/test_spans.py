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
