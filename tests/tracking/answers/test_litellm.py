"""LiteLLM's own objects. In a module of its own: importing LiteLLM takes ten seconds."""

from decimal import Decimal
from typing import Any

import pytest

from tracking import LLMResponse, Usage


@pytest.fixture(scope="module")
def litellm() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no network
        yield pytest.importorskip("litellm")


def answer(litellm: Any, provider: str | None, model: str, **usage: Any) -> Any:
    response = litellm.ModelResponse(
        id="chatcmpl-1",
        created=1763800000,
        model=model,
        choices=[{"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": "Four"}}],
        usage=litellm.Usage(**usage),
    )
    response._hidden_params = {"custom_llm_provider": provider, "response_cost": 0.00012345}
    return response


def test_the_cache_within_the_prompt_the_provider_and_the_reported_cost(litellm: Any) -> None:
    made = answer(
        litellm,
        "anthropic",
        "claude-sonnet-4-5-20250929",
        prompt_tokens=1310,
        completion_tokens=50,
        total_tokens=1360,
        cache_read_input_tokens=1000,
        cache_creation_input_tokens=300,
    )
    response = LLMResponse.from_provider(made)
    assert response.usage == Usage(input_tokens=1310, cache_read_tokens=1000, cache_write_tokens=300, output_tokens=50)
    assert (response.provider, response.model, response.id) == (
        "anthropic",
        "claude-sonnet-4-5-20250929",
        "chatcmpl-1",
    )
    assert (response.provider_cost, response.text) == (Decimal("0.00012345"), "Four")


@pytest.mark.parametrize(
    ("told", "model", "provider"),
    [
        ("azure", "gpt-4o", "azure"),
        ("vertex_ai", "gemini-2.5-flash", "google"),
        ("bedrock", "us.amazon.nova-lite-v1:0", "aws"),
        ("fireworks_ai", "x", "fireworks"),
        (None, "groq/llama-3.3-70b-versatile", "groq"),
        (None, "gpt-4o", "openai"),
    ],
)
def test_the_provider_litellm_called(litellm: Any, told: str | None, model: str, provider: str) -> None:
    made = answer(litellm, told, model, prompt_tokens=70, completion_tokens=12, total_tokens=82)
    assert LLMResponse.from_provider(made).provider == provider
    assert LLMResponse.from_provider(made, provider="x-ai").provider == "x-ai"


def test_litellms_stream(litellm: Any) -> None:
    def chunk(**fields: Any) -> Any:
        made = litellm.ModelResponseStream(id="chatcmpl-1", model="claude-sonnet-4-5-20250929", **fields)
        made._hidden_params = {"custom_llm_provider": "anthropic"}
        return made

    delta = {"index": 0, "delta": {"content": "Four"}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    usage = litellm.Usage(prompt_tokens=1310, completion_tokens=50, total_tokens=1360, cache_read_input_tokens=1000)
    response = LLMResponse.from_stream([chunk(choices=[delta]), chunk(choices=[last]), chunk(choices=[], usage=usage)])
    assert response.usage == Usage(input_tokens=1310, cache_read_tokens=1000, output_tokens=50)
    assert (response.provider, response.status, response.finish_reason) == ("anthropic", "ok", "stop")
