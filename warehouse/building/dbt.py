"""Running the dbt project in `sql/` on one home. dbt runs in a process of its own: it leaves nothing behind."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

import warehouse
from tracking.book_settings import BookSettings
from tracking.durable_files import make_directory, replace_file
from tracking.errors import CostTrackingError, LedgerError
from tracking.home import Home
from warehouse.causes import disk_line
from warehouse.locks import inherited

PACKAGE = Path(warehouse.__file__).resolve().parent
PROJECT = PACKAGE / "sql" if (PACKAGE / "sql").exists() else PACKAGE.parent / "sql"
"""The dbt project: inside this package where it is installed from a wheel, beside it in a checkout."""


PROJECT_SUFFIXES = (".sql", ".yml", ".md", ".csv")
WRITTEN_BY_DBT = ("target", "logs", "dbt_packages")
"""Folders that dbt makes in the project where a developer runs it there by hand."""

MOST_MEMORY = 6 * 2**30
"""Bytes. Of a hundred million rows the largest models want 20 GB, and spill the rest."""


class BuildError(CostTrackingError):
    """A model or test of the warehouse failed; the published file is what it was before."""


@dataclass(frozen=True, slots=True)
class DbtReport:
    """How one `dbt build` went: what was built and tested, all of it successfully."""

    models: int
    tests: int
    seconds: float


def dbt_environment(home: Home) -> dict[str, str]:
    """The variables dbt runs under: everything it writes goes below the home."""
    return {
        "LLM_COST_BUILD_DATABASE": str(home.build_database),
        "LLM_COST_BUILD_MEMORY": f"{_memory_limit() / 2**20:.0f}MiB",
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(_target(home)),
        "DBT_LOG_PATH": str(home.dbt / "logs"),
        # Errors are in run_results.json; a line for each event, debug's too, is a seventh of dbt's CPU.
        "DBT_LOG_LEVEL_FILE": "none",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_USE_COLORS": "false",
        "DBT_VERSION_CHECK": "false",
    }


def _memory_limit() -> int:
    """Bytes for DuckDB, which takes 80 % of the machine by itself; what does not fit is spilled beside its file."""
    return min(MOST_MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def dbt_variables(settings: BookSettings) -> dict[str, object]:
    """What the books say of the project's variables; for the others it has defaults."""
    return {"reporting_timezone": settings.reporting_timezone} | settings.reports.given()


def dbt_arguments(
    settings: BookSettings,
    *,
    full_refresh: bool = False,
    status_date: date | None = None,
    today: date | None = None,
) -> list[str]:
    """The arguments of the one dbt command a build consists of.

    Unit tests are left out: they test the models' code, not the data, and are run where the code is tested. Exposures
    are nothing to build.
    """
    dates = {"status_date": status_date, "today": today}
    variables = dbt_variables(settings) | {name: day.isoformat() for name, day in dates.items() if day}
    arguments = ["build", "--exclude-resource-type", "unit_test", "exposure", "--vars", json.dumps(variables)]
    return [*arguments, "--full-refresh", "--no-partial-parse"] if full_refresh else arguments


def test_arguments(settings: BookSettings) -> list[str]:
    """The arguments of the dbt command that tests what is built: the same tests, no model."""
    return ["test", "--exclude-resource-type", "unit_test", "--vars", json.dumps(dbt_variables(settings))]


def dbt_command(arguments: Sequence[str]) -> list[str]:
    """The command that runs dbt in a process of its own, by the interpreter this process has, and ends with it."""
    # -P: a folder named dbt where the command is run must not be taken for the package.
    code = f"from warehouse.building.dbt_process import main; main({os.getpid()})"
    return [sys.executable, "-P", "-c", code, *arguments]


def project_hash() -> str:
    """Changes whenever the project's code does."""
    digest = hashlib.sha256()
    for file in sorted(path.relative_to(PROJECT) for path in PROJECT.rglob("*") if path.suffix in PROJECT_SUFFIXES):
        if file.parts[0] not in WRITTEN_BY_DBT:
            digest.update(f"{file}\0".encode() + (PROJECT / file).read_bytes() + b"\0")
    return digest.hexdigest()


def model_names() -> set[str]:
    """The names of the project's models, which are those of their files."""
    return {file.stem for file in (PROJECT / "models").rglob("*.sql")}


def models_changed(home: Home) -> bool:
    """Whether the home was last built by other models: then every day has to be built anew."""
    return not _built_with(home).exists() or _built_with(home).read_text() != project_hash()


def note_models_built(home: Home, models: str) -> None:
    """Remember that everything in the build file was made by models of this `project_hash`.

    Take it before dbt reads them: they may change while it builds.
    """
    replace_file(_built_with(home), models.encode())


def _built_with(home: Home) -> Path:
    return home.dbt / "built_with.sha256"


def run_command(
    home: Home, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run one dbt command to its end; `stdout` holds all it said. `environment` goes before `dbt_environment`."""
    return subprocess.run(  # noqa: S603
        dbt_command(arguments),
        env=os.environ | dbt_environment(home) | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        pass_fds=inherited(home),
    )


def stopped(home: Home, process: "subprocess.CompletedProcess[str]") -> CostTrackingError:
    """The error for a command that did not come to its end: what the disk refused, else what dbt said last."""
    if (refused := disk_line(process.stdout)) is not None:
        return _refused_by_disk(home, refused)
    last_lines = "; ".join(line.strip() for line in process.stdout.strip().splitlines()[-3:])
    return BuildError(f"dbt stopped with exit code {process.returncode}: {last_lines}")


def _refused_by_disk(home: Home, refused: str) -> LedgerError:
    return LedgerError(f"the reports of {home.root} cannot be built: {refused}")


def run_dbt(
    home: Home, *, full_refresh: bool = False, status_date: date | None = None, today: date | None = None
) -> DbtReport:
    """Build and test every model: the changed days, or all of them where the models themselves changed.

    `today` is the engine's to know, unless it is given.

    Raises:
        BuildError: a model or test failed, or dbt itself; each is named.
        LedgerError: the disk refused what they wrote.
    """
    models = project_hash()
    full_refresh = full_refresh or models_changed(home)
    report = _run(home, dbt_arguments(home.settings(), full_refresh=full_refresh, status_date=status_date, today=today))
    note_models_built(home, models)
    return report


def run_tests(home: Home) -> DbtReport:
    """Test every model as it is built, and build none.

    Raises:
        BuildError: a test failed, or dbt itself; each is named.
        LedgerError: the disk refused what it wrote.
    """
    return _run(home, test_arguments(home.settings()))


def _run(home: Home, arguments: Sequence[str]) -> DbtReport:
    forget_results(home)
    process = run_command(home, arguments)
    try:
        results = run_results(home)
    except (FileNotFoundError, json.JSONDecodeError):
        raise stopped(home, process) from None
    failed = failures(results)
    if (refused := disk_line("\n".join(failed))) is not None:
        raise _refused_by_disk(home, refused)
    if failed or process.returncode:
        raise BuildError("; ".join(failed) or f"dbt stopped with exit code {process.returncode}")
    kinds = Counter(cast(str, result["unique_id"]).split(".", 1)[0] for result in results["results"])
    return DbtReport(kinds["model"], kinds["test"], results["elapsed_time"])


def forget_results(home: Home) -> None:
    """Make room for those of the next run: whatever is there after it is its own."""
    make_directory(_target(home))
    for name in ("run_results.json", "manifest.json"):
        (_target(home) / name).unlink(missing_ok=True)


def run_results(home: Home) -> Mapping[str, Any]:
    """What dbt's last run says became of each node.

    Raises:
        FileNotFoundError: it stopped before it could say.
    """
    return json.loads((_target(home) / "run_results.json").read_bytes())


def data_tests(home: Home) -> set[str]:
    """The unique ids of the tests of data that dbt's last run found in the project: all that are not disabled."""
    manifest = json.loads((_target(home) / "manifest.json").read_bytes())
    return {name for name, node in manifest["nodes"].items() if node["resource_type"] == "test"}


def _target(home: Home) -> Path:
    return home.dbt / "target"


PASSED = frozenset({"success", "pass", "warn"})
"""What dbt says of a node that fails no build; a test of severity `warn` is there to be seen."""


def failures(results: Mapping[str, Any]) -> list[str]:
    """What did not succeed, by dbt's own `run_results.json`: each node in one line."""
    return [_failure(result) for result in results["results"] if result["status"] not in PASSED]


def passed_nodes(results: Mapping[str, Any]) -> set[str]:
    """The unique ids of models that were built and tests that passed."""
    return {result["unique_id"] for result in results["results"] if result["status"] in PASSED}


def _failure(result: Mapping[str, Any]) -> str:
    kind, name = result["unique_id"].split(".")[0], result["unique_id"].split(".")[2]
    message = " ".join((result.get("message") or "").split())
    return f"{kind} {name}: {result['status']}{f' ({message})' if message else ''}"
