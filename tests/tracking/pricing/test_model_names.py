"""A model with its folder, its provider, its ARN or its version is the model."""

from datetime import UTC, datetime

import pytest

from tracking import CostCalculator, LLMResponse, UnknownModelError
from tracking.pricing.sources.model_names import names_of

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def llm(provider: str, model: str) -> str | None:
    answer = LLMResponse(provider=provider, model=model, usage={"input_tokens": 1000, "output_tokens": 100})
    return CostCalculator().cost(answer, at=AT).llm


@pytest.mark.parametrize(
    ("provider", "model", "bare"),
    [
        ("google", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("google", "publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("google", "projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-4-6", "claude-opus-4-6"),
        ("google", "publishers/deepseek-ai/models/deepseek-v3.1-maas", "deepseek-ai/deepseek-v3.1-maas"),
        ("google", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("google", "claude-opus-4-6@default", "claude-opus-4-6"),
        ("google", "vertex_ai/gemini-2.5-flash", "gemini-2.5-flash"),
        ("openai", "openai/gpt-5-mini", "gpt-5-mini"),
        ("azure", "azure/gpt-5-mini", "gpt-5-mini"),
        ("azure", "openai/gpt-5-mini", "gpt-5-mini"),
        ("x-ai", "xai/grok-4.3", "grok-4.3"),
        ("aws", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("aws", "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-4-7", None),
        ("aws", "bedrock/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("openrouter", "openrouter/openai/gpt-5-mini", "openai/gpt-5-mini"),
        ("groq", "groq/llama-3.3-70b-versatile", "llama-3.3-70b-versatile"),
    ],
)
def test_what_stands_around_a_name_is_taken_off(provider: str, model: str, bare: str | None) -> None:
    assert llm(provider, model) == llm(provider, bare or model.rpartition("/")[2])


@pytest.mark.parametrize(
    "model",
    [
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234efgh",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcd1234efgh",
    ],
)
def test_an_arn_that_does_not_say_which_model_it_is_is_not_guessed(model: str) -> None:
    with pytest.raises(UnknownModelError):
        llm("aws", model)


def test_another_providers_name_before_a_model_is_not_taken_off() -> None:
    assert list(names_of("groq", "openai/gpt-oss-120b")) == ["openai/gpt-oss-120b"]
    assert list(names_of("together", "meta-llama/Llama-3.3-70B")) == ["meta-llama/Llama-3.3-70B"]


def test_a_name_of_many_parts_ends() -> None:
    assert len(list(names_of("openai", "openai/" * 50 + "x"))) <= 5
