"""Builds of the reports over ledgers of growing size, and the cookbook's questions to what they publish.

    make bench GROUPS=warehouse                                      1 and 10 million rows
    WAREHOUSE_MILLIONS="1 10 100" make bench GROUPS=warehouse        100 million too: 27 GB of disk, an hour

Each ledger is made below the folder for temporary files and deleted afterwards. CPU is that of the process and of all
it started, memory what all of them held at one time. The yardstick is what dbt runs, the same SELECTs on the same
files, by one bare DuckDB: no dbt, no tests, no contracts, no publishing, no prices of what might have been.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmarks.synthetic_ledger import DAYS, append_day, write_ledger
from tests.benchmarks.timing import CONSOLE, table
from tracking.home import Home
from warehouse.database import attach
from warehouse.published.read import open_warehouse

MILLIONS = os.environ.get("WAREHOUSE_MILLIONS", "1 10")
NEW_ROWS = 10_000
ROUNDS = 5
COOKBOOK = Path(__file__).parents[2] / "docs" / "sql-cookbook.md"
QUESTION = re.compile(r"### (?P<question>.+?)\n.*?```sql\n(?P<sql>.+?)```", re.DOTALL)
READS_ROWS = re.compile(r"fct_usage|_as_of\(")
BUILD = [sys.executable, "-m", "warehouse", "build", "--home"]
BARE = [sys.executable, "-c", "import sys; from tests.benchmarks.warehouse import build_bare; build_bare(sys.argv[1])"]
SAMPLE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """What one command took: seconds of the clock, seconds of CPU, and the most bytes its processes ever held."""

    wall: float
    cpu: float
    peak: int


def run() -> None:
    shown: dict[int, dict[str, str]] = {}
    first: dict[str, Run] = {}
    for millions in (int(each) for each in MILLIONS.split()):
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder) / "home")
            with CONSOLE.status(f"{millions} million rows"):
                write_ledger(home, millions * 1_000_000)
                runs = _measure(home)
                shown[millions] = {
                    **{name: _told(each, first.setdefault(name, each)) for name, each in runs.items()},
                    "full build / bare DuckDB": f"{runs['full build'].cpu / runs['bare DuckDB'].cpu:.1f} ×",
                    **_sizes(home),
                    **_answers(home),
                }
    names = dict.fromkeys(name for figures in shown.values() for name in figures)
    table(
        "CPU s (of the first ledger's) · wall s · peak MB",
        ("", *(f"{millions} M rows" for millions in shown)),
        [(name, *(figures.get(name, "") for figures in shown.values())) for name in names],
    )


def _measure(home: Home) -> dict[str, Run]:
    """The runs in the order they are made in."""
    runs = {"full build": _watched([*BUILD, str(home.root)])}
    runs["bare DuckDB"] = _watched([*BARE, str(home.root)])
    append_day(home, DAYS, NEW_ROWS)
    runs[f"{NEW_ROWS:,} rows of a new day"] = _watched([*BUILD, str(home.root)])
    runs["nothing new"] = _watched([*BUILD, str(home.root)])
    return runs


def _told(run: Run, first: Run) -> str:
    return f"{run.cpu:,.1f} ({run.cpu / first.cpu:.2f} ×) · {run.wall:,.1f} · {run.peak / 2**20:,.0f}"


def build_bare(root: str) -> None:
    """Every model's own SELECT, in order, into a DuckDB file of its own that is thrown away."""
    home = Home(root)
    nodes: dict[str, dict[str, Any]] = json.loads((home.dbt / "target" / "manifest.json").read_bytes())["nodes"]
    with tempfile.TemporaryDirectory(dir=home.root) as folder, duckdb.connect(Path(folder) / "bare.duckdb") as bare:
        bare.execute("set TimeZone = 'UTC'")
        attach(bare, home.build_database, "build")
        bare.execute("create schema ledger")
        for (name,) in bare.execute(
            "select table_name from duckdb_tables() where database_name = 'build' and schema_name = 'ledger'"
        ).fetchall():
            bare.execute(f'create table ledger."{name}" as from build.ledger."{name}"')
        for (statement,) in bare.execute(
            "select sql from duckdb_views() where database_name = 'build' and schema_name = 'ledger'"
        ).fetchall():
            bare.execute(statement)
        for model in _in_order({name: node for name, node in nodes.items() if node["resource_type"] == "model"}):
            kind = "view" if model["config"]["materialized"] == "view" else "table"
            bare.execute(f'create {kind} main."{model["name"]}" as {_compiled(home, model)}')


def _compiled(home: Home, model: dict[str, Any]) -> str:
    """What dbt asked, of all days."""
    path = home.dbt / "target" / "compiled" / "llm_costs" / model["original_file_path"]
    return path.read_text(encoding="utf-8")


def _in_order(models: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each model after those it reads."""
    done: set[str] = set()
    while len(done) < len(models):
        for name, model in models.items():
            if name not in done and all(each in done for each in model["depends_on"]["nodes"] if each in models):
                done.add(name)
                yield model


def _sizes(home: Home) -> dict[str, str]:
    usage = sum(file.stat().st_size for file in home.usage.rglob("*.parquet"))
    return {
        "ledger, MB": f"{usage / 2**20:,.0f}",
        "build file, MB": f"{home.build_database.stat().st_size / 2**20:,.0f}",
        "published, MB": f"{home.warehouse_database.stat().st_size / 2**20:,.0f}",
    }


def _answers(home: Home) -> dict[str, str]:
    """The 95th percentile of the cookbook's questions, and of those that read every row."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    with open_warehouse(home) as connection:
        for found in QUESTION.finditer(COOKBOOK.read_text(encoding="utf-8")):
            query = found["sql"]
            timings: list[float] = []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                connection.execute(query).fetchall()
                timings.append(time.perf_counter() - started)
            seconds[READS_ROWS.search(query) is not None].append(sorted(timings)[ROUNDS // 2])
    return {
        f"cookbook, {what}, p95 ms": f"{1000 * _p95(each):,.0f} of {len(each)}"
        for what, each in (("all", seconds[False] + seconds[True]), ("those that read every row", seconds[True]))
    }


def _p95(values: list[float]) -> float:
    """By nearest rank."""
    return sorted(values)[-(-95 * len(values) // 100) - 1]


def _watched(command: list[str]) -> Run:
    # As users have it: Python keeps what it has compiled.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    with _memory_of(process.pid) as peak:
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(time.perf_counter() - started, used.ru_utime + used.ru_stime, max(peak))


@contextmanager
def _memory_of(pid: int) -> Iterator[list[int]]:
    """Bytes held by a process and all below it, sampled for as long as the context lasts; Linux only, else 0."""
    samples = [0]
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            samples.append(sum(_held(each) for each in _tree(pid)))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield samples
    finally:
        over.set()
        sampler.join()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text()
        except OSError:
            continue
        for child in children.split():
            yield from _tree(int(child))


def _held(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
