"""What was paid for but refused is kept, with the reason and without the prompt, so it can be repaired."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tracking.answers.response import LLMResponse
from tracking.durable_files import PRIVATE_FILE, write_all
from tracking.journal.writer import writer_name

USAGE_FIELDS = ("usage", "usageMetadata", "usage_info", "meta", "model", "modelVersion", "id", "responseId", "created")
"""The parts of a provider's answer that say what it cost. None of them holds what was said."""


class Quarantine:
    """Appends refused calls to one file of this process, one JSON object a line, mode 0600."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path: Path | None = None
        self._pid: int | None = None

    def keep(self, reason: Exception, answer: object, context: Mapping[str, str | None]) -> Path:
        """Keep what is known of one refused call; returns the file it went to."""
        if self._path is None or self._pid != os.getpid():
            self._path, self._pid = self._directory / f"refused-{writer_name()}.jsonl", os.getpid()
        path = self._path
        entry = refusal(reason, answer) | {"refused_at": datetime.now(UTC).isoformat(), **context}
        line = (json.dumps(entry, default=str) + "\n").encode()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
        size = os.fstat(descriptor).st_size
        try:
            write_all(descriptor, line)
        except OSError:
            self._path = None  # it may end in half a line: the next one goes to another file
            os.ftruncate(descriptor, size)
            self._path = path
            raise
        finally:
            os.close(descriptor)
        return path


def refusal(reason: Exception, answer: object) -> dict[str, Any]:
    """Why a call was refused, and what it used: everything but what was said."""
    return {"error": type(reason).__name__, "reason": str(reason), "answer": usage_part(answer)}


def usage_part(answer: object) -> dict[str, Any] | None:
    """The part of an answer that its cost depends on, as plain JSON; `None` where there is none."""
    if isinstance(answer, LLMResponse):
        counts = {name: count for name, count in answer.usage.token_counts().items() if count is not None}
        usage = counts | {name: str(value) for name, value in answer.usage.other_units.items()}
        return {"provider": answer.provider, "model": answer.model, "id": answer.id, "usage": usage}
    if isinstance(answer, Mapping):
        body = cast("Mapping[str, Any]", answer)
        return {name: body[name] for name in USAGE_FIELDS if name in body} or None
    dump = getattr(answer, "model_dump", None)
    return usage_part(dump(mode="json", by_alias=True, warnings=False)) if callable(dump) else None
