"""Which objects are another library's account of an answer, and what reads them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tracking.answers.fields import Fields
from tracking.answers.shapes import langchain, pydantic_ai, spans

ForeignReader = Callable[[Fields, str | None, str | None], dict[str, Any]]

READERS: tuple[tuple[str, ForeignReader], ...] = (
    ("langchain_core.", langchain.read_message),
    ("pydantic_ai.usage", pydantic_ai.read_usage),
    ("pydantic_ai.messages", pydantic_ai.read_response),
    ("opentelemetry.sdk.trace", spans.read_span),
)
"""By the beginning of the module that a class is from."""


@lru_cache(maxsize=1024)
def foreign_reader(kind: type) -> ForeignReader | None:
    """What reads objects of a class, where it is another library's."""
    return next((reader for module, reader in READERS if kind.__module__.startswith(module)), None)


def foreign_reader_of_dict(answer: Fields) -> ForeignReader | None:
    """What reads a mapping, where it is another library's JSON."""
    if "response_metadata" in answer and "usage_metadata" in answer:
        return langchain.read_message
    return spans.read_attributes if any(str(name).startswith("gen_ai.") for name in answer) else None
