"""Running a command under strace: what it asked of the disk, and the same with one request failing or its last."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

CHANGES = (
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
)
"""The system calls that change files or make changes last."""

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs Debian's strace")


class Moment(NamedTuple):
    """The `number`-th time (from 1) that a thread makes a system call."""

    call: str
    number: int


def llm_cost(*arguments: object) -> list[str]:
    return [sys.executable, "-P", "-m", "warehouse", *map(str, arguments)]


def traced(command: Sequence[str], log: Path, *options: str) -> subprocess.CompletedProcess[str]:
    names = ",".join(f"?{call}" for call in CHANGES)
    strace = ["strace", "-f", "-qq", "-y", "-o", str(log), "-e", f"trace={names}", *options]
    # Not --seccomp-bpf: it leaves out injected signals. One thread: each run makes the same calls in the same order.
    environment = os.environ | {"POLARS_MAX_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run([*strace, *command], capture_output=True, text=True, env=environment, timeout=600)


def moments(command: Sequence[str], log: Path, below: Path) -> list[Moment]:
    """Every moment at which `command` changes something below a folder, or makes it last."""
    done = traced(command, log)
    assert done.returncode == 0, done.stderr
    found: dict[Moment, None] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for line in log.read_text().splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            thread, call = match.groups()
            counts[thread, call] += 1
            if str(below) in line:
                found[Moment(call, counts[thread, call])] = None
    return list(found)


def inject(command: Sequence[str], log: Path, moment: Moment, fault: str) -> subprocess.CompletedProcess[str]:
    """Run `command` with a fault (as strace names it) at one moment."""
    return traced(command, log, "-e", f"inject={moment.call}:{fault}:when={moment.number}")
