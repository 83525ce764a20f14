"""Divide some minutes of a processor between the targets, one after the other, and say what was tried and found."""

import argparse
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
KEPT = Path(".fuzz")
"""Where the inputs that reached something new are kept from one run to the next, and the findings."""
LONGEST_INPUT = 4096
HANGS_AFTER = 60
"""Seconds: whoever shares the processor may hold an input up."""
MEMORY_MB = 3000
COVERAGE = re.compile(rb"cov: (\d+) ft: ")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=30, help="for all of them together")
    given = parser.parse_args()
    unknown = [name for name in given.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target is named {unknown[0]}; there are {', '.join(TARGETS)}")
    names = given.targets or list(TARGETS)
    shares = sum(TARGETS[name].share for name in names)
    table = Table("target", "inputs", "branches", "kept", "seconds", "findings", title="Fuzzing", title_justify="left")
    found = 0
    for name in names:
        seconds = given.minutes * 60 * TARGETS[name].share / shares
        inputs, branches, took = _fuzz(name, seconds)
        findings = sorted((KEPT / "findings" / name).glob("*"))
        found += (count := sum(1 for path in findings if path.suffix == ".txt" or path.name.startswith("hang-")))
        kept = sum(1 for _ in (KEPT / "corpus" / name).iterdir())
        table.add_row(name, f"{inputs:,}", f"{branches:,}", f"{kept:,}", f"{took:,.0f}", f"{count:,}")
    Console().print(table)
    if found:
        sys.stderr.write(f"see {KEPT / 'findings'}: what was raised, and the input beside it\n")
    return 1 if found else 0


def _fuzz(name: str, seconds: float) -> tuple[int, int, float]:
    """Fuzz one target for so many seconds of a processor; how many inputs were tried, the branches, the seconds."""
    corpus, findings = KEPT / "corpus" / name, KEPT / "findings" / name
    shutil.rmtree(findings, ignore_errors=True)
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True)
    options = [
        f"-max_len={LONGEST_INPUT}",
        f"-timeout={HANGS_AFTER}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-artifact_prefix={findings}/hang-",
        str(corpus),
        str(CORPUS / name),
    ]
    before = _seconds_of_children()
    branches, used = 0, 0.0
    while (left := seconds - used) >= 1:
        command = [sys.executable, "-m", "tests.fuzz.fuzzer", name, f"{left:.0f}", str(findings), *options]
        log = subprocess.run(command, capture_output=True).stderr
        (findings / "log").write_bytes(log)
        if not (reached := COVERAGE.findall(log)):
            sys.stderr.buffer.write(log[-3000:])
            raise SystemExit(f"the fuzzer of {name} did not start")
        branches = int(reached[-1])
        used = _seconds_of_children() - before
    tried = sum(int(note.read_text()) for note in findings.glob("tried-*"))
    return tried, branches, used


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
