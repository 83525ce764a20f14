"""What LiteLLM's objects say besides their JSON, which has OpenAI's shapes: whom it called, and what that cost."""

from collections.abc import Mapping
from typing import Any

from tracking.answers.fields import Fields, fields_of
from tracking.providers import known_provider

NOTHING: Mapping[str, Any] = {}


def is_object(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "litellm"


def hidden_params(source: object) -> Fields:
    """What it keeps of a call beside the answer: provider, cost."""
    return fields_of(getattr(source, "_hidden_params", None)) or NOTHING


def provider_of(answer: Fields, hidden: Fields) -> str | None:
    """The provider LiteLLM called; where it does not say, what stands before the model's name (`groq/…`)."""
    told = hidden.get("custom_llm_provider")
    if not told:
        model = answer.get("model")
        told = model.partition("/")[0] if isinstance(model, str) and "/" in model else None
    return known_provider(told)
