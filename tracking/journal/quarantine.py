"""What was paid for but refused is kept, with the reason and without the prompt, so it can be repaired."""

import errno
import fcntl
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tracking.answers.response import LLMResponse
from tracking.durable_files import create_file, write_all
from tracking.journal.kept_parts import answer_part, reason_part, response_part
from tracking.journal.writer import writer_name
from tracking.money import plain_digits
from tracking.rows.identity import uuid7


class Quarantine:
    """Appends refused calls to one file of this process, one JSON object a line."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path: Path | None = None
        self._pid: int | None = None

    def keep(
        self,
        reason: BaseException,
        answer: object,
        attribution: Mapping[str, Any],
        response: LLMResponse | None = None,
        estimated_usd: Decimal | None = None,
    ) -> Path:
        """Keep what is known of one refused call (see `kept_parts`); returns the file it went to.

        `response` is the answer where it could be read, `estimated_usd` what the call cost by its counts.
        """
        now = datetime.now(UTC)
        entry: dict[str, Any] = {
            "id": str(uuid7()),
            **refusal(reason, answer, attribution),
            **counted(response, estimated_usd),
        }
        for name in ("provider", "model"):
            entry[name] = entry.get(name) or getattr(response, name, None)
        # A call that says no time is one of now.
        entry |= {"occurred_at": entry.get("occurred_at") or str(now), "refused_at": now.isoformat()}
        line = json.dumps(entry).encode() + b"\n"
        try:
            return self._append(line)
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
            self._path = None  # this one may grow no further (RLIMIT_FSIZE)
            return self._append(line)

    def _append(self, line: bytes) -> Path:
        path, descriptor = self._file()
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

    def _file(self) -> tuple[Path, int]:
        """The file of this process, open: another one where the last is being taken apart, which nobody waits for."""
        while True:
            if self._path is None or self._pid != os.getpid():
                self._path, self._pid = self._directory / f"refused-{writer_name()}.jsonl", os.getpid()
            path = self._path
            try:
                descriptor = create_file(path, os.O_APPEND)
            except FileExistsError:
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            if _may_append(descriptor):
                return path, descriptor
            os.close(descriptor)
            self._path = None


def _may_append(descriptor: int) -> bool:
    """Whether what is appended stays: nobody takes lines out of the file (see `taking_apart`), or has replaced it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return os.fstat(descriptor).st_nlink > 0


@contextmanager
def taking_apart(path: Path) -> Generator[None, None, None]:
    """While lines are taken out of a file of refused calls, or the file is deleted: its writer goes to another one."""
    with path.open("rb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield


def counted(response: LLMResponse | None, estimated_usd: Decimal | None) -> dict[str, Any]:
    """What a refused call used, as it would have been recorded, and what that cost by its own counts."""
    return {
        "response": None if response is None else response_part(response),
        "estimated_usd": None if estimated_usd is None else plain_digits(estimated_usd),
    }


def refusal(reason: BaseException, answer: object, attribution: Mapping[str, Any]) -> dict[str, Any]:
    """Why a call was refused, what it used and whose it was: everything but what was said."""
    provider, model = attribution.get("provider"), attribution.get("model")
    return {
        "error": type(reason).__name__,
        "reason": reason_part(reason, answer),
        **attribution,
        "answer": answer_part(answer, provider, model),
    }
