"""Every source `from_provider` reads: the SDKs' own objects, other libraries' objects, and shapes given as dicts."""

from collections.abc import Callable
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
from provider_answers import ANTHROPIC, CHAT, CONVERSE, GEMINI, RESPONSES

from tracking import ArgumentError, CostCalculator, LLMResponse, ResponseError, Usage, UsageError

AT = datetime(2026, 11, 1, tzinfo=UTC)
CHOICE = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": {"role": "assistant", "content": "Four"}}
REALTIME_USAGE = {
    "total_tokens": 130,
    "input_tokens": 100,
    "output_tokens": 30,
    "input_token_details": {
        "text_tokens": 40,
        "audio_tokens": 60,
        "cached_tokens": 20,
        "cached_tokens_details": {"text_tokens": 5, "audio_tokens": 15},
    },
    "output_token_details": {"text_tokens": 10, "audio_tokens": 20},
}
REALTIME_COUNTS = Usage(
    input_tokens=100,
    cache_read_tokens=20,
    output_tokens=30,
    other_units={
        "input_text_tokens": 40,
        "input_audio_tokens": 60,
        "cache_text_read_tokens": 5,
        "cache_audio_read_tokens": 15,
        "output_text_tokens": 10,
        "output_audio_tokens": 20,
    },
)


def chat(model: str, **usage: Any) -> dict[str, Any]:
    counts = usage or {"prompt_tokens": 70, "completion_tokens": 12, "total_tokens": 82}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1763800000,
        "model": model,
        "choices": [CHOICE],
        "usage": counts,
    }


def groq_chat() -> Any:
    from groq.types.chat import ChatCompletion

    return ChatCompletion.model_validate(chat("llama-3.3-70b-versatile") | {"service_tier": "on_demand"})


def mistral_chat() -> Any:
    from mistralai.client.models import ChatCompletionResponse

    return ChatCompletionResponse.model_validate(chat("mistral-large-latest"))


def mistral_ocr() -> Any:
    from mistralai.client.models import OCRResponse

    return OCRResponse.model_validate(
        {"pages": [], "model": "mistral-ocr-latest", "usage_info": {"pages_processed": 3}}
    )


def gemini() -> Any:
    from google.genai.types import GenerateContentResponse

    return GenerateContentResponse.model_validate(GEMINI | {"createTime": "2025-11-22T08:26:40.123456Z"})


def gemini_dumped() -> Any:
    return gemini().model_dump()


def cohere_chat() -> Any:
    from cohere import V2ChatResponse

    return V2ChatResponse.model_validate(
        {
            "id": "co1",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Four"}]},
            "usage": {
                "billed_units": {"input_tokens": 24, "output_tokens": 2},
                "tokens": {"input_tokens": 29, "output_tokens": 4},
            },
        }
    )


def cohere_rerank() -> Any:
    from cohere import V2RerankResponse

    return V2RerankResponse.model_validate({"id": "r1", "results": [], "meta": {"billed_units": {"search_units": 3}}})


def cohere_embed() -> Any:
    from cohere import EmbedByTypeResponse

    return EmbedByTypeResponse.model_validate(
        {"id": "e1", "embeddings": {"float": [[0.1]]}, "texts": ["a"], "meta": {"billed_units": {"input_tokens": 7}}}
    )


def openai_images() -> Any:
    from openai.types import ImagesResponse

    details = {"text_tokens": 30, "image_tokens": 170}
    usage = {"input_tokens": 200, "input_tokens_details": details, "output_tokens": 400, "total_tokens": 600}
    return ImagesResponse.model_validate({"created": 1763800000, "data": [], "usage": usage})


def openai_transcription() -> Any:
    from openai.types.audio import Transcription

    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
    return Transcription.model_validate(
        {"text": "Four", "usage": usage | {"input_token_details": {"text_tokens": 2, "audio_tokens": 12}}}
    )


def openai_transcription_by_duration() -> Any:
    from openai.types.audio import Transcription

    return Transcription.model_validate({"text": "Four", "usage": {"type": "duration", "seconds": 12.5}})


def openai_realtime() -> Any:
    from openai.types.realtime import ResponseDoneEvent

    return ResponseDoneEvent.model_validate(
        {
            "type": "response.done",
            "event_id": "event_1",
            "response": {
                "id": "resp_rt",
                "object": "realtime.response",
                "status": "completed",
                "usage": REALTIME_USAGE,
            },
        }
    )


def openai_realtime_response() -> Any:
    return openai_realtime().response


def azure_chat() -> Any:
    from openai.types.chat import ChatCompletion

    return ChatCompletion.model_validate(chat("gpt-4o-2024-08-06") | {"prompt_filter_results": []})


def openrouter_chat() -> Any:
    from openai.types.chat import ChatCompletion

    usage = {"prompt_tokens": 70, "completion_tokens": 12, "total_tokens": 82, "cost": 0.00012345, "is_byok": False}
    return ChatCompletion.model_validate(chat("openai/gpt-4o", **usage) | {"id": "gen-1", "provider": "OpenAI"})


def langchain_message() -> Any:
    from langchain_core.messages import AIMessage

    return AIMessage(
        content="Four",
        id="run-1",
        usage_metadata={
            "input_tokens": 1310,
            "output_tokens": 50,
            "total_tokens": 1360,
            "input_token_details": {
                "cache_read": 1000,
                "cache_creation": 0,
                "ephemeral_5m_input_tokens": 100,
                "ephemeral_1h_input_tokens": 200,
            },
            "output_token_details": {"reasoning": 30},
        },
        response_metadata={
            "id": "msg_1",
            "model_name": "claude-sonnet-4-5-20250929",
            "model_provider": "anthropic",
            "stop_reason": "end_turn",
        },
    )


def pydantic_ai_usage() -> Any:
    from pydantic_ai.usage import RequestUsage

    return RequestUsage(input_tokens=1310, cache_read_tokens=1000, cache_write_tokens=300, output_tokens=50)


def pydantic_ai_run() -> Any:
    from pydantic_ai.usage import RunUsage

    return RunUsage(input_tokens=1310, cache_read_tokens=1000, cache_write_tokens=300, output_tokens=50, requests=1)


def pydantic_ai_response() -> Any:
    from pydantic_ai.messages import ModelResponse, TextPart

    return ModelResponse(
        parts=[TextPart("Four")],
        usage=pydantic_ai_usage(),
        model_name="claude-sonnet-4-5-20250929",
        provider_name="anthropic",
        provider_response_id="msg_1",
    )


def converse() -> Any:
    return CONVERSE | {"ResponseMetadata": {"RequestId": "req-1", "HTTPStatusCode": 200}}


PYDANTIC_AI = Usage(input_tokens=1310, cache_read_tokens=1000, cache_write_tokens=300, output_tokens=50)
CLAUDE = "claude-sonnet-4-5-20250929"

# package, what makes the object, the caller's provider and model, then what must be read: provider, model, id, usage
SOURCES: dict[str, tuple[str, Callable[[], Any], str | None, str | None, tuple[str, str | None, str | None, Usage]]] = {
    "groq": (
        "groq",
        groq_chat,
        None,
        None,
        ("groq", "llama-3.3-70b-versatile", "c1", Usage(input_tokens=70, output_tokens=12)),
    ),
    "mistral": (
        "mistralai.client",
        mistral_chat,
        None,
        None,
        ("mistral", "mistral-large-latest", "c1", Usage(input_tokens=70, output_tokens=12)),
    ),
    "mistral ocr": (
        "mistralai.client",
        mistral_ocr,
        None,
        None,
        ("mistral", "mistral-ocr-latest", None, Usage(other_units={"input_document_pages": 3})),
    ),
    "gemini": (
        "google.genai",
        gemini,
        None,
        None,
        (
            "google",
            "gemini-2.5-flash",
            "g-1",
            Usage(
                input_tokens=900,
                cache_read_tokens=512,
                output_tokens=100,
                reasoning_tokens=60,
                other_units={"input_text_tokens": 700, "input_audio_tokens": 200},
            ),
        ),
    ),
    "cohere chat": (
        "cohere",
        cohere_chat,
        None,
        "command-r-plus-08-2024",
        ("cohere", "command-r-plus-08-2024", "co1", Usage(input_tokens=24, output_tokens=2)),
    ),
    "cohere rerank": (
        "cohere",
        cohere_rerank,
        None,
        "rerank-v3.5",
        ("cohere", "rerank-v3.5", "r1", Usage(other_units={"rerank_searches": 3})),
    ),
    "cohere embed": (
        "cohere",
        cohere_embed,
        None,
        "embed-v4.0",
        ("cohere", "embed-v4.0", "e1", Usage(input_tokens=7)),
    ),
    "openai images": (
        "openai",
        openai_images,
        None,
        "gpt-image-1",
        (
            "openai",
            "gpt-image-1",
            None,
            Usage(
                input_tokens=200, output_tokens=400, other_units={"input_text_tokens": 30, "input_image_tokens": 170}
            ),
        ),
    ),
    "openai transcription": (
        "openai",
        openai_transcription,
        None,
        "gpt-4o-transcribe",
        (
            "openai",
            "gpt-4o-transcribe",
            None,
            Usage(input_tokens=14, output_tokens=45, other_units={"input_text_tokens": 2, "input_audio_tokens": 12}),
        ),
    ),
    "openai transcription by duration": (
        "openai",
        openai_transcription_by_duration,
        None,
        "whisper-1",
        ("openai", "whisper-1", None, Usage(other_units={"audio_seconds": Decimal("12.5")})),
    ),
    "openai realtime": (
        "openai",
        openai_realtime,
        None,
        "gpt-realtime",
        ("openai", "gpt-realtime", "resp_rt", REALTIME_COUNTS),
    ),
    "openai realtime response": (
        "openai",
        openai_realtime_response,
        "openai",
        "gpt-realtime",
        ("openai", "gpt-realtime", "resp_rt", REALTIME_COUNTS),
    ),
    "azure": (
        "openai",
        azure_chat,
        None,
        None,
        ("azure", "gpt-4o-2024-08-06", "c1", Usage(input_tokens=70, output_tokens=12)),
    ),
    "openrouter": (
        "openai",
        openrouter_chat,
        None,
        None,
        ("openrouter", "openai/gpt-4o", "gen-1", Usage(input_tokens=70, output_tokens=12)),
    ),
    "langchain": (
        "langchain_core",
        langchain_message,
        None,
        None,
        (
            "anthropic",
            CLAUDE,
            "msg_1",
            Usage(
                input_tokens=1310,
                cache_read_tokens=1000,
                cache_write_tokens=300,
                cache_write_1h_tokens=200,
                output_tokens=50,
                reasoning_tokens=30,
                other_units={"cache_write_5m_tokens": 100},
            ),
        ),
    ),
    "pydantic ai request": (
        "pydantic_ai",
        pydantic_ai_usage,
        "anthropic",
        CLAUDE,
        ("anthropic", CLAUDE, None, PYDANTIC_AI),
    ),
    "pydantic ai run": (
        "pydantic_ai",
        pydantic_ai_run,
        "anthropic",
        CLAUDE,
        ("anthropic", CLAUDE, None, PYDANTIC_AI),
    ),
    "pydantic ai response": (
        "pydantic_ai",
        pydantic_ai_response,
        None,
        None,
        ("anthropic", CLAUDE, "msg_1", PYDANTIC_AI),
    ),
    "converse": (
        "genai_prices",
        converse,
        None,
        "us.amazon.nova-lite-v1:0",
        (
            "aws",
            "us.amazon.nova-lite-v1:0",
            "req-1",
            Usage(input_tokens=2519, cache_read_tokens=5, cache_write_tokens=2492, output_tokens=13),
        ),
    ),
}


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


def test_a_span_without_usage_or_of_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ResponseError, match=r"gen_ai\.usage\.input_tokens"):
        LLMResponse.from_provider({"gen_ai.system": "openai"})
    with pytest.raises(ArgumentError, match=r"ibm\.watsonx\.ai"):
        LLMResponse.from_provider(CURRENT_SPAN | {"gen_ai.provider.name": "ibm.watsonx.ai"})
    with pytest.raises(UsageError, match="is a bool"):
        LLMResponse.from_provider(CURRENT_SPAN | {"gen_ai.usage.input_tokens": True})


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
