"""What LiteLLM's objects say besides their JSON, which has OpenAI's shapes: whom it called, and what that cost."""

from collections.abc import Mapping
from typing import Any

from tracking.answers.fields import Fields, fields_of, text_in
from tracking.providers import known_provider, provider_named

NOTHING: Mapping[str, Any] = {}
PROXY = "litellm_proxy"
"""Its name for a proxy of its own, which says nothing of whom the proxy called."""


def is_object(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "litellm"


def hidden_params(source: object) -> Fields:
    """What it keeps of a call beside the answer: provider, cost."""
    return fields_of(getattr(source, "_hidden_params", None)) or NOTHING


def provider_of(answer: Fields, hidden: Fields) -> str | None:
    """The provider LiteLLM called; where it does not say, what stands before the model's name (`groq/…`)."""
    told = text_in(hidden.get("custom_llm_provider"))
    if told and told != PROXY:
        return provider_named(told)
    model = text_in(answer.get("model")) or ""
    return known_provider(model.partition("/")[0]) if "/" in model else None
