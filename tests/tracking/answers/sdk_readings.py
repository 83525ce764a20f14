"""What must be read of each object of `sdk_objects`."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sdk_objects import (
    azure_chat,
    cohere_chat,
    cohere_embed,
    cohere_rerank,
    converse,
    gemini,
    groq_chat,
    langchain_message,
    mistral_chat,
    mistral_ocr,
    openai_images,
    openai_realtime,
    openai_realtime_response,
    openai_transcription,
    openai_transcription_by_duration,
    openrouter_chat,
    pydantic_ai_response,
    pydantic_ai_run,
    pydantic_ai_usage,
)

from tracking import Usage

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
                other_units={
                    "input_text_tokens": 700,
                    "input_audio_tokens": 200,
                    "cache_text_read_tokens": 398,
                    "cache_audio_read_tokens": 114,
                },
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
                input_tokens=200,
                output_tokens=400,
                other_units={"input_text_tokens": 30, "input_image_tokens": 170, "output_image_tokens": 400},
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
