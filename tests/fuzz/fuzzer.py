"""One target under Atheris, in a process of its own: `python -m tests.fuzz.fuzzer TARGET SECONDS FINDINGS -options…`.

A broken promise ends nothing: it is kept once for each place it shows at, and the fuzzer goes on until it has used so
many seconds of a processor. A hang ends the process, which `tests.fuzz` starts again.
"""

import hashlib
import os
import re
import sys
import time
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["tracking", "warehouse"]):
    from tests.fuzz.mutation import MUTATORS
    from tests.fuzz.promises import BrokenPromiseError
    from tests.fuzz.targets import TARGETS, Check

MOST_SECONDS = 2.0
"""Of a processor, for one input, which is small."""
NOTED_EVERY = 32
OURS = ("/tracking/", "/warehouse/")
MEMORY_DISK = Path("/dev/shm")


class Findings:
    """What broke a promise, kept once for each kind."""

    def __init__(self, check: Check, folder: Path, seconds: float) -> None:
        self._check = check
        self._folder = folder
        self._tried = 0
        self._ends = time.process_time() + seconds
        self._seen: set[str] = {path.stem for path in folder.glob("*.txt")}

    def __call__(self, data: bytes) -> None:
        self._tried += 1
        started = time.process_time()
        try:
            self._check(data)
        except Exception as error:
            self._keep(data, error)
        if (took := time.process_time() - started) > MOST_SECONDS:
            self._keep(data, TimeoutError(f"took {took:.1f} s"))
        ends = time.process_time() > self._ends
        if ends or self._tried % NOTED_EVERY == 0:
            (self._folder / f"tried-{os.getpid()}").write_text(str(self._tried))
        if ends:
            os._exit(0)  # neither libFuzzer nor Atheris has a limit of this kind, or can be asked to end

    def _keep(self, data: bytes, error: Exception) -> None:
        kind = hashlib.sha256(_kind_of(error).encode(errors="replace")).hexdigest()[:12]
        if kind in self._seen:
            return
        self._seen.add(kind)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{kind}.input").write_bytes(data)
        told = "".join(traceback.format_exception(error))
        (self._folder / f"{kind}.txt").write_text(told, errors="backslashreplace")


def _kind_of(error: Exception) -> str:
    """Its class and place; of a broken promise also which, without the values it names."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if any(each in frame.filename for each in OURS)]
    if isinstance(error, BrokenPromiseError):
        where = next(f"{it.filename}:{it.lineno}" for it in reversed(frames) if it.name != "require")
        return f"{where} {re.sub('[0-9]+', '', str(error)[:24])}"
    return f"{type(error).__name__} {ours[-1].filename}:{ours[-1].lineno}" if ours else type(error).__name__


def _mutate_blindly(data: bytes, most: int) -> bytes:
    """As libFuzzer does. Atheris puts another function in this one's place once it begins."""
    return atheris.Mutate(data, most)


def main() -> None:
    name, seconds, findings, *options = sys.argv[1:]
    target = TARGETS[name]
    with TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None) as folder:
        with atheris.instrument_imports(include=["tracking", "warehouse"]):
            check = target.check(Path(folder))
        atheris.Setup(
            [sys.argv[0], *options],
            Findings(check, Path(findings), float(seconds)),
            custom_mutator=MUTATORS[target.mutation](_mutate_blindly),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
