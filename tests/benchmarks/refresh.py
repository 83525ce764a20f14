"""What a refresh of the demo's home takes from a cold process, where the time goes, and what it took before."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dagster_project.lib.dagster_home import prepare_dagster_home
from dagster_project.lib.dbt_manifest import prepared_manifest
from tests.benchmarks.timing import table
from tracking.book_settings import BookSettings
from tracking.home import Home
from warehouse.building.dbt import dbt_arguments, dbt_command, dbt_environment

ROUNDS = 3
DEMO = [sys.executable, "-m", "warehouse", "demo", "--home"]
EXECUTE = [sys.executable, "-m", "dagster", "job", "execute", "-m"]
REFRESH = [*EXECUTE, "dagster_project.definitions", "-j", "refresh"]
DEFAULT = [*EXECUTE, "tests.benchmarks.dagster_dbt_default", "-j", "models_job"]
IMPORT = [sys.executable, "-c", "import dagster, dagster_dbt, dagster._cli"]
LOAD = [sys.executable, "-c", "from dagster_project.definitions import definitions; definitions()"]


class Taken(NamedTuple):
    """Seconds on the clock, and seconds of a core that a process and all it started took together."""

    wall: float
    core: float

    def __sub__(self, other: "Taken") -> "Taken":
        return Taken(self.wall - other.wall, self.core - other.core)


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        subprocess.run([*DEMO, str(home.root)], check=True, stdout=subprocess.DEVNULL)
        prepare_dagster_home(home)
        prepared_manifest(home)
        [manifest] = home.dbt.glob("manifest-*.json")
        there = {"LLM_COST_HOME": str(home.root), "LLM_COST_MANIFEST": str(manifest), **dbt_environment(home)}
        ours = there | {"DAGSTER_HOME": str(home.dagster)}

        refresh = _least(REFRESH, ours, folder)
        imported, loaded = _least(IMPORT, ours, folder), _least(LOAD, ours, folder)
        dbt = _least(dbt_command(dbt_arguments(BookSettings())), ours, folder)
        default = _least(DEFAULT, there, folder)
        rows = [
            ("a refresh", refresh, "20"),
            ("  the import of Dagster and dagster-dbt", imported, ""),
            ("  dbt build, which takes as long alone", dbt, ""),
            ("  the rest: seal, publish, prove, check, events", refresh - imported - dbt, "5"),
            ("the definitions loaded, imports included", loaded, "5"),
            ("before: dagster-dbt's default way, models and tests alone", default, ""),
        ]
        table(
            f"the demo's month from a cold process, nothing changed, best of {ROUNDS}",
            ("", "seconds", "of a core", "at most"),
            [(name, f"{taken.wall:.1f}", f"{taken.core:.1f}", limit) for name, taken, limit in rows],
        )


def _least(command: Sequence[str], more: Mapping[str, str], folder: str) -> Taken:
    """The least of each that the command took, in turns of its own."""
    rounds = [_taken(command, more, folder) for _ in range(ROUNDS)]
    return Taken(min(each.wall for each in rounds), min(each.core for each in rounds))


def _taken(command: Sequence[str], more: Mapping[str, str], folder: str) -> Taken:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "DBT", "LLM_COST"))}
    found = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, env=clean | found | more, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{command}:\n{output.read().decode(errors='replace')[-4000:]}")
    return Taken(wall, usage.ru_utime + usage.ru_stime)
