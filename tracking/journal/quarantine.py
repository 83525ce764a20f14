"""What was paid for but refused is kept, with the reason and without the prompt, so it can be repaired."""

import errno
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracking.durable_files import create_file, write_all
from tracking.journal.kept_parts import answer_part, reason_part
from tracking.journal.writer import writer_name


class Quarantine:
    """Appends refused calls to one file of this process, one JSON object a line."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path: Path | None = None
        self._pid: int | None = None

    def keep(self, reason: BaseException, answer: object, attribution: Mapping[str, Any]) -> Path:
        """Keep what is known of one refused call (see `kept_parts`); returns the file it went to."""
        entry = refusal(reason, answer, attribution) | {"refused_at": datetime.now(UTC).isoformat()}
        line = json.dumps(entry).encode() + b"\n"
        try:
            return self._append(line)
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
            self._path = None  # this one may grow no further (RLIMIT_FSIZE)
            return self._append(line)

    def _append(self, line: bytes) -> Path:
        if self._path is None or self._pid != os.getpid():
            self._path, self._pid = self._directory / f"refused-{writer_name()}.jsonl", os.getpid()
        path = self._path
        try:
            descriptor = create_file(path, os.O_APPEND)
        except FileExistsError:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
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


def refusal(reason: BaseException, answer: object, attribution: Mapping[str, Any]) -> dict[str, Any]:
    """Why a call was refused, what it used and whose it was: everything but what was said."""
    provider, model = attribution.get("provider"), attribution.get("model")
    return {
        "error": type(reason).__name__,
        "reason": reason_part(reason, answer),
        **attribution,
        "answer": answer_part(answer, provider, model),
    }
