"""What a refresh of the demo's home takes from a cold process, and where the time goes."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dagster_project.manifest import prepared_manifest
from tests.benchmarks.timing import best_of_processes, table
from tracking.home import Home

REFRESH = [sys.executable, "-m", "dagster", "job", "execute", "-m", "dagster_project.definitions", "-j", "refresh"]
DEMO = [sys.executable, "-m", "warehouse", "demo", "--home"]
DAGSTER = "import dagster, dagster_dbt, dagster._cli"
LOAD = "from dagster_project.definitions import definitions; definitions()"
DBT = "import dbt.cli.main, dbt.adapters.duckdb, dbt.task.build"


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        subprocess.run([*DEMO, str(home.root)], check=True, stdout=subprocess.DEVNULL)
        prepared_manifest(home)
        os.environ["LLM_COST_HOME"] = str(home.root)
        os.environ.pop("DAGSTER_HOME", None)
        dagster, load, dbt = (_seconds(code) for code in (DAGSTER, f"{DAGSTER}\n{LOAD}", DBT))
        wall, built = min(_refresh(home) for _ in range(3))
        ours = wall - load - dbt - built
        rows = [
            ("a refresh from a cold process", wall, "20"),
            ("  Dagster's import", dagster, ""),
            ("  loading the definitions", load - dagster, "5"),
            ("  dbt's import", dbt, ""),
            ("  dbt's own run: models and tests", built, ""),
            ("  everything else: seal, publish, prove, check, events", ours, "5"),
        ]
        table(
            "the demo's month, nothing changed, best of 3",
            ("", "seconds", "at most"),
            [(name, f"{seconds:.1f}", limit) for name, seconds, limit in rows],
        )


def _refresh(home: Home) -> tuple[float, float]:
    """Seconds of the whole process, and those that dbt says its nodes took together."""
    started = time.perf_counter()
    subprocess.run(REFRESH, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    return wall, json.loads((home.dbt / "target" / "run_results.json").read_bytes())["elapsed_time"]


def _seconds(code: str) -> float:
    return best_of_processes(
        f"import time; started = time.perf_counter()\n{code}\nprint(time.perf_counter() - started)", rounds=3
    )
