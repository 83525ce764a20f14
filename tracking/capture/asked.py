"""What a request asked for: which model, with which prompt, and whether it is one that is paid for."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

from pydantic_core import from_json

from tracking.answers.fields import listed
from tracking.rows.prompt import WITHHELD

MODEL_IN_PATH = re.compile(r"/(?:model|models|deployments|publishers/[^/]+/models)/(?P<model>[^/:?]+(?::\d+)?)")
"""Azure's deployment, Bedrock's and Gemini's model: `/model/us.anthropic.claude-…-v1:0/invoke`, `/models/…:embed`."""

FREE = re.compile(
    r"/(?:count_tokens|count-tokens|countTokens|input_tokens|tokenize|detokenize|moderations|batches|batch|files|"
    r"uploads|fine_tuning|assistants|evals|graders|client_secrets|sessions)(?:[/:]|$)"
    r"|:(?:countTokens|computeTokens|batchGenerateContent|asyncBatchEmbedContent)\b"
)
"""What costs nothing by itself, though it may name a model."""

INSTRUCTIONS = ("system", "instructions", "systemInstruction", "system_instruction", "preamble")
QUESTIONS = (
    *("messages", "input", "contents", "prompt", "message", "inputText", "texts", "inputs", "requests", "query"),
    *("content", "instances", "document"),
)


class Asked(NamedTuple):
    """One request. `prompt` is what `record()` takes."""

    model: str | None
    prompt: object
    is_paid: bool


def asked(method: str, path: str, body: bytes | Mapping[str, Any] | None) -> Asked:
    """What a request asked for, by path and body; `is_paid` says that it names a model and makes something of it."""
    fields = _fields(body)
    model = fields.get("model") or fields.get("modelId")
    if not isinstance(model, str):
        found = MODEL_IN_PATH.search(path)
        model = unquote(found["model"]) if found else None
    return Asked(model, _prompt(fields), method.upper() == "POST" and bool(model) and not FREE.search(path))


def _fields(body: bytes | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if isinstance(body, bytes):
        try:
            body = from_json(body) if body[:1] == b"{" else None
        except ValueError:
            body = None
    return body if isinstance(body, Mapping) else {}


def _prompt(fields: Mapping[str, Any]) -> object:
    """The messages as they were sent; instructions that stand apart come first, as a message of the system."""
    question = next((fields[name] for name in QUESTIONS if fields.get(name)), None)
    instructions = next((fields[name] for name in INSTRUCTIONS if fields.get(name)), None)
    if instructions is None:
        return question if _says_something(question) else WITHHELD
    messages: list[object] = [{"role": "system", "content": instructions}]
    if isinstance(question, list):
        messages += listed(cast(object, question))
    elif question is not None:
        messages.append({"role": "user", "content": question})
    return messages


def _says_something(question: object) -> bool:
    return bool(question) and not (isinstance(question, str) and not question.strip())
