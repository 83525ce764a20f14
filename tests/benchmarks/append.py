"""Appending a row: what the journal costs beside a bare `os.write` of the same bytes, and beside what others do."""

import json
import logging
import multiprocessing
import os
import sqlite3
import tempfile
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns

import duckdb

from tests.benchmarks.timing import table
from tracking import CostTracker
from tracking.journal.writer import Durability, JournalWriter, encode_line

DURABILITIES: tuple[Durability, ...] = ("process", "interval", "always")
SECONDS = 1.0
ROUNDS = 3
PROCESSES = 8
FIELDS = {f"column_{number}": "x" * 40 for number in range(20)}
CONTENT = json.dumps(FIELDS, separators=(",", ":")).encode()
LINE = encode_line(CONTENT)

Append = Callable[[], object]
Contender = Callable[[Path], AbstractContextManager[Append]]
"""Opens something in a folder and yields what appends one row there."""


def run() -> None:
    contenders: dict[str, Contender] = {
        "bare os.write": _bare,
        **{f'journal, "{durability}"': _journal(durability) for durability in DURABILITIES},
        "logging as JSON": _logging,
        "SQLite WAL, NORMAL": _sqlite,
        "DuckDB insert": _duckdb,
    }
    _show(f"a prepared line of {len(LINE):,} bytes", contenders, shared_by_eight=("SQLite WAL, NORMAL",))
    _show_group_commit()
    _show("the whole of record()", {f'record(), "{durability}"': _record(durability) for durability in DURABILITIES})


def _show(title: str, contenders: dict[str, Contender], shared_by_eight: tuple[str, ...] = ()) -> None:
    for processes in (1, PROCESSES):
        runs: dict[str, list[list[int]]] = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, contender in contenders.items():
                if processes == 1 or name != "DuckDB insert":  # which one process alone can write
                    runs[name].append(_latencies(contender, processes, shared=name in shared_by_eight))
        rows: list[tuple[str, ...]] = []
        first = 0.0
        for name, rounds in runs.items():
            if not rounds:
                rows.append((name, "one at a time", "", "", ""))
                continue
            speed = median(len(each) / SECONDS for each in rounds)
            first = first or speed
            latencies = sorted(nanoseconds for each in rounds for nanoseconds in each)
            p50, p99 = (latencies[int(len(latencies) * share)] / 1000 for share in (0.5, 0.99))
            rows.append((name, f"{speed:,.0f}", f"{first / speed:,.1f} ×", f"{p50:,.1f}", f"{p99:,.1f}"))
        counted = "one process" if processes == 1 else f"{processes} processes"
        table(f"{title}: {counted}", ("", "rows/s", "slower by", "p50 µs", "p99 µs"), rows)


def _latencies(contender: Contender, processes: int, *, shared: bool) -> list[int]:
    """Nanoseconds of each append that `processes` make at the same time, for SECONDS."""
    context = multiprocessing.get_context("fork")
    # Not in /tmp: that may be in memory, where a sync costs nothing.
    with tempfile.TemporaryDirectory(dir=".") as folder:
        start = context.Barrier(processes)
        files = [Path(folder) / f"latencies-{number}" for number in range(processes)]
        workers = [context.Process(target=_work, args=(contender, Path(folder), start, file, shared)) for file in files]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return [nanoseconds for file in files for nanoseconds in array("q", file.read_bytes())]


def _work(contender: Contender, folder: Path, start: Barrier, file: Path, shared: bool) -> None:
    own = folder if shared else folder / str(os.getpid())
    own.mkdir(exist_ok=True)
    latencies = array("q")
    with contender(own) as append:
        append()
        start.wait()
        end = perf_counter() + SECONDS
        before = perf_counter_ns()
        while perf_counter() < end:
            append()
            now = perf_counter_ns()
            latencies.append(now - before)
            before = now
    file.write_bytes(latencies.tobytes())


def _show_group_commit() -> None:
    """Threads that all wait for the disk share its syncs."""
    rows: list[tuple[str, str, str]] = []
    first = 0.0
    for threads in (1, PROCESSES):
        counts = [0] * threads
        with tempfile.TemporaryDirectory(dir=".") as folder:
            writer = JournalWriter(Path(folder), "always")
            end = perf_counter() + SECONDS

            def work(number: int, end: float = end, writer: JournalWriter = writer, counts: list[int] = counts) -> None:
                while perf_counter() < end:
                    writer.append(LINE)
                    counts[number] += 1

            workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            writer.close()
        first = first or sum(counts)
        rows.append((f"{threads} threads", f"{sum(counts) / SECONDS:,.0f}", f"{sum(counts) / first:,.1f} ×"))
    table('group commit: one process, "always"', ("", "rows/s", "of one thread"), rows)


@contextmanager
def _bare(folder: Path) -> Iterator[Append]:
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    yield lambda: os.write(descriptor, LINE)
    os.close(descriptor)


def _journal(durability: Durability) -> Contender:
    @contextmanager
    def journal(folder: Path) -> Iterator[Append]:
        writer = JournalWriter(folder, durability)
        yield lambda: writer.append(LINE)
        writer.close()

    return journal


@contextmanager
def _logging(folder: Path) -> Iterator[Append]:
    class Formatter(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return json.dumps({"at": record.created, "level": record.levelname, **record.__dict__["fields"]})

    handler = logging.FileHandler(folder / "rows.log")
    handler.setFormatter(Formatter())
    logger = logging.Logger("rows")
    logger.addHandler(handler)
    yield lambda: logger.info("row", extra={"fields": FIELDS})
    handler.close()


@contextmanager
def _sqlite(folder: Path) -> Iterator[Append]:
    connection = sqlite3.connect(folder / "rows.sqlite", isolation_level=None, timeout=60)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    connection.execute("create table if not exists rows (content text)")
    content = CONTENT.decode()
    yield lambda: connection.execute("insert into rows values (?)", (content,))
    connection.close()


@contextmanager
def _duckdb(folder: Path) -> Iterator[Append]:
    with duckdb.connect(folder / "rows.duckdb") as connection:
        connection.execute("create table rows (content varchar)")
        content = CONTENT.decode()
        yield lambda: connection.execute("insert into rows values (?)", (content,))


def _record(durability: Durability) -> Contender:
    @contextmanager
    def tracker(folder: Path) -> Iterator[Append]:
        usage = {"prompt_tokens": 1200, "completion_tokens": 340, "total_tokens": 1540}
        answer = {"model": "gpt-5-mini-2025-08-07", "usage": usage}
        with CostTracker(folder / "home", durability=durability) as tracker:
            yield lambda: tracker.record(
                llm_response=answer,
                provider="openai",
                user="teacher-17",
                trackable=("Assignment", 42),
                request_type="generate_rubric",
                prompt="Write a grading rubric with four criteria. " * 10,
            )

    return tracker
