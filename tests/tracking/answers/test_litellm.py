"""LiteLLM's own objects. In a module of its own: importing LiteLLM takes ten seconds."""

import json
import warnings
from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


COUNT = st.integers(0, 1000)


@st.composite
def usages(draw: st.DrawFn) -> dict[str, Any]:
    """The arguments of LiteLLM's `Usage`: wholes, and any of the parts it knows."""
    read, written = draw(COUNT), draw(COUNT)
    parts_of_prompt = {
        "cached_tokens": read,
        "cache_creation_tokens": written,
        "image_tokens": draw(COUNT),
        "audio_tokens": draw(COUNT),
        "web_search_requests": draw(st.integers(0, 3)),
        "image_count": draw(st.integers(0, 2)),
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
    }
    parts_of_completion = {"reasoning_tokens": draw(COUNT), "image_tokens": draw(COUNT), "audio_tokens": draw(COUNT)}
    prompt, completion = draw(st.integers(4000, 9000)), draw(st.integers(4000, 9000))
    further = {
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "citation_tokens": draw(COUNT),
        "num_search_queries": draw(st.integers(0, 3)),
        "inference_geo": "us",
        "speed": "fast",
    }

    def some(parts: dict[str, Any]) -> dict[str, Any]:
        return {name: part for name, part in parts.items() if draw(st.booleans())}

    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": some(parts_of_prompt) or None,
        "completion_tokens_details": some(parts_of_completion) or None,
        **some(further),
    }


def row_of(response: LLMResponse) -> dict[str, Any]:
    """What a row is made of."""
    return {field.name: getattr(response, field.name) for field in fields(response) if field.name != "text"}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(usage=usages(), provider=st.sampled_from(["openai", "anthropic", "aws", "google", "x-ai", "perplexity", "acme"]))
def test_its_json_is_read_as_its_objects_are(litellm: Any, usage: dict[str, Any], provider: str) -> None:
    made = litellm.ModelResponse(
        id="chatcmpl-1", model="m", choices=[{"finish_reason": "stop", "index": 0}], usage=litellm.Usage(**usage)
    )
    read = row_of(LLMResponse.from_provider(made, provider))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LiteLLM's own, of its own fields
        dumped = made.model_dump()
    assert row_of(LLMResponse.from_provider(dumped, provider)) == read
    assert row_of(LLMResponse.from_provider(json.loads(json.dumps(dumped)), provider)) == read
    assert read["usage"].input_tokens == usage["prompt_tokens"]


def others(litellm: Any) -> dict[str, Any]:
    """LiteLLM's other answers, each with the counts that are in it."""
    usage = litellm.Usage(prompt_tokens=70, completion_tokens=0, total_tokens=70)
    details = {"text_tokens": 20, "image_tokens": 30}
    images = {"input_tokens": 50, "input_tokens_details": details, "output_tokens": 900, "total_tokens": 950}
    text = litellm.Usage(prompt_tokens=70, completion_tokens=5, total_tokens=75)
    return {
        "embeddings": litellm.EmbeddingResponse(model="m", usage=usage, data=[]),
        "text completion": litellm.TextCompletionResponse(id="a", model="m", usage=text, choices=[]),
        "images": litellm.ImageResponse(created=1, data=[], usage=images),
    }


@pytest.mark.parametrize("kind", ["embeddings", "text completion", "images"])
def test_its_other_answers_too(litellm: Any, kind: str) -> None:
    made = others(litellm)[kind]
    read = row_of(LLMResponse.from_provider(made, "openai", "m"))
    assert row_of(LLMResponse.from_provider(made.model_dump(), "openai", "m")) == read
    assert read["usage"].input_tokens in (70, 50)


def test_images_searches_and_citations_are_counted(litellm: Any) -> None:
    made = answer(
        litellm,
        "perplexity",
        "sonar",
        prompt_tokens=100,
        completion_tokens=50,
        total_tokens=150,
        prompt_tokens_details={"image_tokens": 30, "image_count": 1, "web_search_requests": 2},
        completion_tokens_details={"reasoning_tokens": 20},
        citation_tokens=7,
    )
    usage = LLMResponse.from_provider(made).usage
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (100, 77, 20)
    assert usage.other_units == {
        "input_image_tokens": 30,
        "input_images": 1,
        "web_searches": 2,
        "output_citation_tokens": 7,
    }


def test_a_provider_that_no_catalogue_knows_keeps_litellms_name_and_a_proxy_names_none(litellm: Any) -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 12, "total_tokens": 82}
    assert LLMResponse.from_provider(answer(litellm, "hosted_vllm", "gpt-4o", **usage)).provider == "hosted_vllm"
    assert LLMResponse.from_provider(answer(litellm, "litellm_proxy", "gpt-4o", **usage)).provider == "openai"
