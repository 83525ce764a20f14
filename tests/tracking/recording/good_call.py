"""A call that `record()` takes, to be spoilt; and what it kept of calls it refused."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provider_answers import CHAT

from tracking import LLMResponse, Usage

JournalReader = Callable[[Path], list[dict[str, Any]]]
UNKNOWN = LLMResponse(provider="openai", model="gpt-4oo-minni", usage=Usage(input_tokens=5))


@dataclass
class Assignment:
    id: int


@dataclass
class User:
    id: str


def arguments(**changes: Any) -> dict[str, Any]:
    return {
        "llm_response": CHAT,
        "trackable": Assignment(42),
        "user": User("teacher-1"),
        "request_type": "generate_rubric",
        "prompt": "Make a rubric",
    } | changes


def refusals(home: Path) -> list[dict[str, Any]]:
    files = sorted((home / "quarantine").iterdir())
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]
