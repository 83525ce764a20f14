"""Answers in the shapes the providers send them, and the models the school's teachers use."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from string import ascii_letters, digits
from typing import Any

from tracking.usage import Usage

HEX = "0123456789abcdef"
ALPHANUMERIC = ascii_letters + digits
BASE58 = "".join(character for character in ALPHANUMERIC if character not in "0OIl")
URL_SAFE = ALPHANUMERIC + "-_"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered: `usage` in the ledger's terms, `whole=False` where the stream broke off."""

    id: str
    created: datetime
    usage: Usage
    text: str
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of one provider, and how its provider behaves.

    `writes_cache`: a cached prefix is paid for when written; elsewhere the provider notices repeated prefixes itself.
    `cache_step`: cached tokens are a multiple of it. `reasoning`: share of the output a model may spend thinking.
    """

    provider: str
    name: str
    shape: Callable[["Model", Answer], dict[str, Any]]
    new_id: Callable[[Random], str]
    errors: tuple[str, ...]
    writes_cache: bool = False
    cache_step: int = 1
    reasoning: tuple[int, int] | None = None
    tokens_per_second: int = 90
    streams: bool = False

    @property
    def answers_namelessly(self) -> bool:
        """Whether an answer holds neither the model's name nor an id of its own, as Bedrock's do not."""
        return self.shape is _bedrock_converse

    def body(self, answer: Answer) -> dict[str, Any]:
        """The JSON object the provider sends for `answer`."""
        return self.shape(self, answer)


def _counted(count: int | None) -> int:
    return count or 0


def _anthropic_messages(model: Model, answer: Answer) -> dict[str, Any]:
    usage = answer.usage
    cache_reads, cache_writes = _counted(usage.cache_read_tokens), _counted(usage.cache_write_tokens)
    cache_writes_1h = _counted(usage.cache_write_1h_tokens)
    counts: dict[str, Any] = {
        "input_tokens": _counted(usage.input_tokens) - cache_reads - cache_writes,
        "cache_creation_input_tokens": cache_writes,
        "cache_read_input_tokens": cache_reads,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache_writes - cache_writes_1h,
            "ephemeral_1h_input_tokens": cache_writes_1h,
        },
        "output_tokens": usage.output_tokens,
        "service_tier": "standard",
        "inference_geo": "global",
    }
    if usage.reasoning_tokens is not None:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": model.name,
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": "end_turn" if answer.whole else None,
        "stop_sequence": None,
        "usage": counts,
    }


def _chat_completion(model: Model, answer: Answer, usage: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text}
    return {
        "id": answer.id,
        "object": "chat.completion",
        "created": int(answer.created.timestamp()),
        "model": model.name,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop" if answer.whole else None}],
        "usage": usage,
    }


def _chat_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.token_count,
        "prompt_tokens_details": {"cached_tokens": _counted(usage.cache_read_tokens)},
    }


def _openai_chat(model: Model, answer: Answer) -> dict[str, Any]:
    usage = _chat_usage(answer.usage)
    usage["prompt_tokens_details"]["audio_tokens"] = 0
    usage["completion_tokens_details"] = {
        "reasoning_tokens": _counted(answer.usage.reasoning_tokens),
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }
    return {**_chat_completion(model, answer, usage), "service_tier": "default"}


def _openai_responses(model: Model, answer: Answer) -> dict[str, Any]:
    usage = answer.usage
    content: list[dict[str, Any]] = [{"type": "output_text", "text": answer.text, "annotations": []}]
    return {
        "id": answer.id,
        "object": "response",
        "created_at": int(answer.created.timestamp()),
        "status": "completed" if answer.whole else "incomplete",
        "model": model.name,
        "output": [{"type": "message", "role": "assistant", "status": "completed", "content": content}],
        "service_tier": "default",
        "usage": {
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {"cached_tokens": _counted(usage.cache_read_tokens)},
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": _counted(usage.reasoning_tokens)},
            "total_tokens": usage.token_count,
        },
    }


def _gemini_content(model: Model, answer: Answer) -> dict[str, Any]:
    usage = answer.usage
    counts: dict[str, Any] = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": _counted(usage.output_tokens) - _counted(usage.reasoning_tokens),
        "totalTokenCount": usage.token_count,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input_tokens}],
        "thoughtsTokenCount": _counted(usage.reasoning_tokens),
        "serviceTier": "standard",
    }
    if usage.cache_read_tokens:
        counts["cachedContentTokenCount"] = usage.cache_read_tokens
        counts["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": usage.cache_read_tokens}]
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": answer.text}]}, "index": 0}
    if answer.whole:
        candidate["finishReason"] = "STOP"
    return {
        "candidates": [candidate],
        "usageMetadata": counts,
        "modelVersion": model.name,
        "responseId": answer.id,
    }


def _deepseek_chat(model: Model, answer: Answer) -> dict[str, Any]:
    usage = _chat_usage(answer.usage)
    usage["prompt_cache_hit_tokens"] = _counted(answer.usage.cache_read_tokens)
    usage["prompt_cache_miss_tokens"] = _counted(answer.usage.input_tokens) - usage["prompt_cache_hit_tokens"]
    usage["completion_tokens_details"] = {"reasoning_tokens": _counted(answer.usage.reasoning_tokens)}
    return _chat_completion(model, answer, usage)


def _mistral_chat(model: Model, answer: Answer) -> dict[str, Any]:
    return _chat_completion(model, answer, _chat_usage(answer.usage))


def _bedrock_converse(model: Model, answer: Answer) -> dict[str, Any]:
    usage = answer.usage
    cache_reads, cache_writes = _counted(usage.cache_read_tokens), _counted(usage.cache_write_tokens)
    counts: dict[str, Any] = {
        "inputTokens": _counted(usage.input_tokens) - cache_reads - cache_writes,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.token_count,
        "cacheReadInputTokens": cache_reads,
        "cacheWriteInputTokens": cache_writes,
    }
    if cache_writes:
        counts["cacheDetails"] = [{"inputTokens": cache_writes, "ttl": "5m"}]
    return {
        "ResponseMetadata": {"RequestId": answer.id, "HTTPStatusCode": 200},
        "output": {"message": {"role": "assistant", "content": [{"text": answer.text}]}},
        "stopReason": "end_turn",
        "usage": counts,
    }


def _id_maker(prefix: str, alphabet: str, length: int) -> Callable[[Random], str]:
    return lambda random: prefix + "".join(random.choices(alphabet, k=length))


def _uuid(random: Random) -> str:
    text = f"{random.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


_message_id = _id_maker("msg_01", BASE58, 22)
_completion_id = _id_maker("chatcmpl-", ALPHANUMERIC, 29)
_OPENAI_ERRORS = ("RateLimitError", "APITimeoutError", "InternalServerError")
_ANTHROPIC_ERRORS = ("RateLimitError", "OverloadedError", "APITimeoutError")

SONNET = Model(
    provider="anthropic", name="claude-sonnet-5", shape=_anthropic_messages, new_id=_message_id,
    errors=_ANTHROPIC_ERRORS, writes_cache=True, reasoning=(0, 30), tokens_per_second=75, streams=True,
)  # fmt: skip
HAIKU = Model(
    provider="anthropic", name="claude-haiku-4-5-20251001", shape=_anthropic_messages, new_id=_message_id,
    errors=_ANTHROPIC_ERRORS, writes_cache=True, tokens_per_second=140, streams=True,
)  # fmt: skip
GPT_MINI = Model(
    provider="openai", name="gpt-5-mini-2025-08-07", shape=_openai_responses, new_id=_id_maker("resp_", HEX, 48),
    errors=_OPENAI_ERRORS, cache_step=128, reasoning=(30, 75), tokens_per_second=95,
)  # fmt: skip
GPT_CHAT = Model(
    provider="openai", name="gpt-5.4-mini-2026-03-17", shape=_openai_chat, new_id=_completion_id,
    errors=_OPENAI_ERRORS, cache_step=128, reasoning=(0, 20), tokens_per_second=120,
)  # fmt: skip
GEMINI = Model(
    provider="google", name="gemini-2.5-flash", shape=_gemini_content, new_id=_id_maker("", URL_SAFE, 23),
    errors=("ResourceExhausted", "ServiceUnavailable", "DeadlineExceeded"),
    reasoning=(20, 60), tokens_per_second=180, streams=True,
)  # fmt: skip
DEEPSEEK = Model(
    provider="deepseek", name="deepseek-v4-flash", shape=_deepseek_chat, new_id=_uuid,
    errors=_OPENAI_ERRORS, cache_step=64, reasoning=(0, 40), tokens_per_second=60,
)  # fmt: skip
MISTRAL = Model(
    provider="mistral", name="mistral-small-latest", shape=_mistral_chat, new_id=_id_maker("", HEX, 32),
    errors=("SDKError", "ReadTimeout"), cache_step=64, tokens_per_second=130,
)  # fmt: skip
BEDROCK_HAIKU = Model(
    provider="aws", name="eu.anthropic.claude-haiku-4-5-20251001-v1:0", shape=_bedrock_converse, new_id=_uuid,
    errors=("ThrottlingException", "ModelTimeoutException"), writes_cache=True, tokens_per_second=120,
)  # fmt: skip
OWN_GRADER = Model(
    provider="openai", name="ft:school-grader-v1", shape=_openai_chat, new_id=_completion_id,
    errors=_OPENAI_ERRORS, cache_step=128, reasoning=(0, 0), tokens_per_second=110,
)  # fmt: skip
"""A school's own fine-tuned model: no catalogue knows it, so its rows rest unpriced."""

MODELS = (GPT_MINI, HAIKU, GEMINI, DEEPSEEK, SONNET, GPT_CHAT, MISTRAL, BEDROCK_HAIKU, OWN_GRADER)
