"""Places of usage that genai-prices has no extractor for, in the form of its tables.

Each is tried after the catalogue's own and is taken only where it reads more of an answer, so what the catalogue
reads stays what it is.
"""

from dataclasses import dataclass, field
from typing import Any, Final

LITELLM: Final = "litellm"
"""The dialect of LiteLLM's objects: chat completions of every provider, with the cache counted inside the prompt."""


@dataclass(frozen=True, slots=True)
class OwnMapping:
    """From one place below the root to one unit."""

    path: Any
    dest: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class OwnExtractor:
    """The same four facts as genai-prices' `UsageExtractor`."""

    api_flavor: str
    root: Any
    mappings: list[OwnMapping] = field(default_factory=list[OwnMapping])
    model_path: Any = "model"


def _table(flavor: str, root: Any, *rows: tuple[Any, str] | tuple[Any, str, bool]) -> OwnExtractor:
    return OwnExtractor(flavor, root, [OwnMapping(row[0], row[1], len(row) == 3) for row in rows])


_AUDIO_AND_TEXT = _table(
    # The realtime interface's own object (not its `response.done` event), and transcriptions billed by token.
    "realtime response",
    "usage",
    ("input_tokens", "input_tokens", True),
    ("output_tokens", "output_tokens", True),
    (["input_token_details", "text_tokens"], "input_text_tokens"),
    (["input_token_details", "audio_tokens"], "input_audio_tokens"),
    (["input_token_details", "image_tokens"], "input_image_tokens"),
    (["input_token_details", "cached_tokens"], "cache_read_tokens"),
    (["input_token_details", "cached_tokens_details", "text_tokens"], "cache_text_read_tokens"),
    (["input_token_details", "cached_tokens_details", "audio_tokens"], "cache_audio_read_tokens"),
    (["input_token_details", "cached_tokens_details", "image_tokens"], "cache_image_read_tokens"),
    (["output_token_details", "text_tokens"], "output_text_tokens"),
    (["output_token_details", "audio_tokens"], "output_audio_tokens"),
)

OWN_EXTRACTORS: dict[str, list[OwnExtractor]] = {
    "openai": [_AUDIO_AND_TEXT],
    "azure": [
        _AUDIO_AND_TEXT,
        _table("live", "usage", ("seconds", "audio_seconds", True)),
    ],
    "aws": [
        _table(
            "llama invoke",
            [],
            ("prompt_token_count", "input_tokens", True),
            ("generation_token_count", "output_tokens", True),
        ),
        _table("titan embeddings invoke", [], ("inputTextTokenCount", "input_tokens", True)),
    ],
    "cohere": [
        _table(
            "chat of version 1",
            ["meta", "billed_units"],
            ("input_tokens", "input_tokens", True),
            ("output_tokens", "output_tokens", True),
        ),
        _table("rerank", ["meta", "billed_units"], ("search_units", "rerank_searches", True)),
    ],
    "voyageai": [_table("embeddings", "usage", ("total_tokens", "input_tokens", True))],
    LITELLM: [
        _table(
            "chat",
            "usage",
            ("prompt_tokens", "input_tokens", True),
            ("completion_tokens", "output_tokens", True),
            (["prompt_tokens_details", "cached_tokens"], "cache_read_tokens"),
            (["prompt_tokens_details", "cache_creation_tokens"], "cache_write_tokens"),
            (
                ["prompt_tokens_details", "cache_creation_token_details", "ephemeral_5m_input_tokens"],
                "cache_write_5m_tokens",
            ),
            (
                ["prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens"],
                "cache_write_1h_tokens",
            ),
            (["prompt_tokens_details", "audio_tokens"], "input_audio_tokens"),
            (["completion_tokens_details", "audio_tokens"], "output_audio_tokens"),
            (["completion_tokens_details", "reasoning_tokens"], "output_reasoning_tokens"),
            (["server_tool_use", "web_search_requests"], "web_searches"),
        ),
    ],
}
