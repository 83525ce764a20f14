"""The one way things are timed here, and shown."""

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median

from rich.console import Console
from rich.table import Table

CONSOLE = Console()
ROUNDS = 15
ROUND_SECONDS = 0.1


def race(contenders: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Median seconds a call of each contender, which take turns so that whatever disturbs one disturbs all."""
    numbers = {name: _calls_per_round(call) for name, call in contenders.items()}
    timings: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            timings[name].append(_seconds(call, numbers[name]) / numbers[name])
    return {name: median(each) for name, each in timings.items()}


def best_of(call: Callable[[], object], rounds: int = 3) -> float:
    """The fewest seconds one long call took."""
    return min(_seconds(call, 1) for _ in range(rounds))


def best_of_processes(code: str, rounds: int = 5) -> float:
    """The fewest seconds `code` says it took, each time in a fresh interpreter."""
    return min(float(_output(code)) for _ in range(rounds))


def seconds_and_peak(code: str) -> tuple[float, int | None]:
    """The seconds that `code` says it took in a fresh interpreter, and the most bytes of memory that ever held.

    `ru_maxrss` would be no less than this process's own; where there is no /proc, the peak is not known.
    """
    told = "import pathlib; status = pathlib.Path('/proc/self/status'); print(status.exists() and status.read_text())"
    seconds, *status = _output(f"{code}\n{told}").splitlines()
    peak = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")]
    return float(seconds), peak[0] if peak else None


def table(title: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Show a table: the first column to the left, figures to the right."""
    first, *figures = head
    shown = Table(first, title=title, title_justify="left", title_style="bold")
    for figure in figures:
        shown.add_column(figure, justify="right")
    for row in rows:
        shown.add_row(*row)
    CONSOLE.print(shown)


def ratios(title: str, seconds: Mapping[str, float], note: Mapping[str, str] | None = None) -> None:
    """Print timings of one race as µs a call and as multiples of the first."""
    ours = next(iter(seconds.values()))
    table(
        title,
        ("", "µs a call", "of ours"),
        [(name, f"{each * 1e6:,.1f}", f"{each / ours:,.1f} ×") for name, each in seconds.items()]
        + [(name, text, "") for name, text in (note or {}).items()],
    )


def _calls_per_round(call: Callable[[], object]) -> int:
    call()
    number = 1
    while (seconds := _seconds(call, number)) < ROUND_SECONDS / 4:
        number *= 2
    return max(1, round(number * ROUND_SECONDS / seconds))


def _seconds(call: Callable[[], object], number: int) -> float:
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter()
        for _ in range(number):
            call()
        return time.perf_counter() - started
    finally:
        gc.enable()


def _output(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
