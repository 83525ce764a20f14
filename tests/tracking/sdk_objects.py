"""Objects of the providers' SDKs and of other libraries."""

from typing import Any

from provider_answers import CONVERSE, GEMINI

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
