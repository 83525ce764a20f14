"""Answers as providers send them, made up: each shape with the counts that are in it."""

from typing import Any

from tracking import Usage

ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet-4-5-20250929",
    "stop_reason": "end_turn",
    "content": [
        {"type": "thinking", "thinking": "hmm"},
        {"type": "text", "text": "Four "},
        {"type": "text", "text": "criteria"},
    ],
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 50,
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "standard",
    },
}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1763800000,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Four criteria"}}],
    "usage": {
        "prompt_tokens": 1200,
        "completion_tokens": 80,
        "total_tokens": 1280,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 30},
    },
}
RESPONSES = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1763800000,
    "model": "gpt-5-mini-2025-08-07",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "Four criteria"}]},
    ],
    "usage": {
        "input_tokens": 415,
        "input_tokens_details": {"cached_tokens": 128},
        "output_tokens": 224,
        "output_tokens_details": {"reasoning_tokens": 128},
        "total_tokens": 639,
    },
}
GEMINI = {
    "responseId": "g-1",
    "createTime": "2025-11-22T08:26:40.123456789Z",
    "modelVersion": "gemini-2.5-flash",
    "candidates": [
        {
            "finishReason": "STOP",
            "content": {"parts": [{"text": "musing", "thought": True}, {"text": "Four criteria"}]},
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 900,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 700}, {"modality": "AUDIO", "tokenCount": 200}],
        "cachedContentTokenCount": 512,
        "candidatesTokenCount": 40,
        "thoughtsTokenCount": 60,
        "totalTokenCount": 1000,
    },
}
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Four criteria"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 22, "outputTokens": 13, "cacheReadInputTokens": 5, "cacheWriteInputTokens": 2492},
}

SHAPES: dict[str, tuple[str, str | None, dict[str, Any], dict[str, Any]]] = {
    "anthropic, both cache lifetimes": (
        "anthropic",
        None,
        ANTHROPIC,
        {
            "input_tokens": 1310,
            "cache_read_tokens": 1000,
            "cache_write_tokens": 300,
            "cache_write_1h_tokens": 200,
            "output_tokens": 50,
            "other_units": {"cache_write_5m_tokens": 100, "web_searches": 2},
        },
    ),
    "openai chat": (
        "openai",
        None,
        CHAT,
        {
            "input_tokens": 1200,
            "cache_read_tokens": 1024,
            "output_tokens": 80,
            "reasoning_tokens": 30,
            "other_units": {"input_audio_tokens": 0},
        },
    ),
    "openai responses": (
        "openai",
        None,
        RESPONSES,
        {"input_tokens": 415, "cache_read_tokens": 128, "output_tokens": 224, "reasoning_tokens": 128},
    ),
    "openai embeddings": (
        "openai",
        None,
        {"object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 8, "total_tokens": 8}},
        {"input_tokens": 8},
    ),
    "gemini thoughts, cache and modalities": (
        "google",
        None,
        GEMINI,
        {
            "input_tokens": 900,
            "cache_read_tokens": 512,
            "output_tokens": 100,
            "reasoning_tokens": 60,
            "other_units": {
                "input_text_tokens": 700,
                "input_audio_tokens": 200,
                "cache_text_read_tokens": 398,
                "cache_audio_read_tokens": 114,
            },
        },
    ),
    "bedrock converse": (
        "aws",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        CONVERSE,
        {"input_tokens": 2519, "cache_read_tokens": 5, "cache_write_tokens": 2492, "output_tokens": 13},
    ),
    "bedrock invoke of claude": (
        "aws",
        None,
        ANTHROPIC,
        {
            "input_tokens": 1310,
            "cache_read_tokens": 1000,
            "cache_write_tokens": 300,
            "cache_write_1h_tokens": 200,
            "output_tokens": 50,
            "other_units": {"cache_write_5m_tokens": 100, "web_searches": 2},
        },
    ),
    "azure, anthropic shape": (
        "azure",
        None,
        ANTHROPIC,
        {
            "input_tokens": 1310,
            "cache_read_tokens": 1000,
            "cache_write_tokens": 300,
            "cache_write_1h_tokens": 200,
            "output_tokens": 50,
            "other_units": {"cache_write_5m_tokens": 100, "web_searches": 2},
        },
    ),
    "azure, responses shape": (
        "azure",
        None,
        RESPONSES,
        {"input_tokens": 415, "cache_read_tokens": 128, "output_tokens": 224, "reasoning_tokens": 128},
    ),
    "mistral": (
        "mistral",
        None,
        {"id": "m1", "model": "mistral-large-latest", "usage": {"prompt_tokens": 70, "completion_tokens": 12}},
        {"input_tokens": 70, "output_tokens": 12},
    ),
    "groq": (
        "groq",
        None,
        {
            "id": "c1",
            "model": "llama-3.3-70b-versatile",
            "usage": {"prompt_tokens": 779, "completion_tokens": 65, "total_time": 0.16, "queue_time": 0.28},
        },
        {"input_tokens": 779, "output_tokens": 65},
    ),
    "deepseek": (
        "deepseek",
        None,
        {
            "id": "d1",
            "model": "deepseek-chat",
            "usage": {
                "prompt_tokens": 875,
                "completion_tokens": 79,
                "prompt_cache_hit_tokens": 512,
                "prompt_cache_miss_tokens": 363,
                "prompt_tokens_details": {"cached_tokens": 512},
            },
        },
        {"input_tokens": 875, "cache_read_tokens": 512, "output_tokens": 79},
    ),
    "cohere bills its billed units": (
        "cohere",
        "command-r-plus-08-2024",
        {
            "usage": {
                "billed_units": {"input_tokens": 2406, "output_tokens": 2},
                "cached_tokens": 2928,
                "tokens": {"input_tokens": 2935, "output_tokens": 4},
            }
        },
        {"input_tokens": 2406, "output_tokens": 2},
    ),
    "xai chat: reasoning comes on top of completion": (
        "x-ai",
        None,
        {
            "id": "x1",
            "model": "grok-4",
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 40},
                "completion_tokens_details": {"reasoning_tokens": 50},
            },
        },
        {"input_tokens": 100, "cache_read_tokens": 40, "output_tokens": 60, "reasoning_tokens": 50},
    ),
    "xai sdk": (
        "x-ai",
        None,
        {
            "model": "grok-4",
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 10,
                "cached_prompt_text_tokens": 40,
                "reasoning_tokens": 50,
            },
        },
        {"input_tokens": 100, "cache_read_tokens": 40, "output_tokens": 60, "reasoning_tokens": 50},
    ),
    "minimax responses": (
        "minimax",
        None,
        {
            "model": "MiniMax-M2",
            "usage": {"input_tokens": 100, "output_tokens": 10, "input_tokens_details": {"cached_tokens": 40}},
        },
        {"input_tokens": 100, "cache_read_tokens": 40, "output_tokens": 10},
    ),
    "mistral ocr without annotations": (
        "mistral",
        None,
        {"model": "mistral-ocr-latest", "usage_info": {"pages_processed": 3}},
        {"other_units": {"input_document_pages": 3}},
    ),
    "a provider without an extractor speaks chat completions": (
        "together",
        None,
        {"id": "t1", "model": "meta-llama/Llama-3.3-70B-Instruct-Turbo", "usage": CHAT["usage"]},
        {
            "input_tokens": 1200,
            "cache_read_tokens": 1024,
            "output_tokens": 80,
            "reasoning_tokens": 30,
            "other_units": {"input_audio_tokens": 0},
        },
    ),
}


CATALOGUE_NAMES = {"reasoning_tokens": "output_reasoning_tokens"}


def catalogue_counts(usage: Usage) -> dict[str, Any]:
    """Our counts by the names genai-prices gives them, only those that are known."""
    counts = {CATALOGUE_NAMES.get(name, name): count for name, count in usage.token_counts().items()}
    return {name: count for name, count in counts.items() if count is not None} | dict(usage.other_units)
