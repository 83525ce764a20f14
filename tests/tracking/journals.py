"""What the tests of the journal share."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provider_answers import CHAT

from tracking import CostTracker
from tracking.journal.writer import encode_line

JournalReader = Callable[[Path], list[dict[str, Any]]]

LINES = [encode_line(b'{"n":%d}' % number) for number in range(6)]


def record(tracker: CostTracker, number: int = 0, **options: Any) -> Any:
    answer = CHAT | {"id": f"r-{os.getpid()}-{threading.get_ident()}-{number}"}
    return tracker.record(
        llm_response=answer,
        trackable=("Assignment", number),
        user=number,
        request_type="generate_rubric",
        prompt=f"prompt {number}",
        **options,
    )


def journals(home: Path) -> list[Path]:
    return sorted((home / "journal").iterdir())


def locked(path: Path) -> bool:
    """Whether a writer holds the file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def content(directory: Path) -> bytes:
    """What all files hold, the oldest first."""
    return b"".join(path.read_bytes() for path in sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime_ns))


def run(code: str, **values: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python program in a process of its own, its `{placeholders}` filled in."""
    code = code.format(tests=str(Path(__file__).parent), **values)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)


def eventually(happened: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 300
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(happened())
