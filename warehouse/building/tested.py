"""The gate before publication: `build.duckdb` is published where every test has passed in it, exactly as it is now.

It stands in publication itself because whoever asks for that may have asked for no test: Dagster can be told to publish
alone, takes the models of a failed step for made, and runs the checks of a selection.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from tracking.durable_files import replace_file
from tracking.home import Home
from warehouse.building.dbt import BuildError, data_tests, passed_nodes, project_hash, run_results, run_tests
from warehouse.database import identity_of


@contextmanager
def noting_tests(home: Home) -> Generator[None, None, None]:
    """Around one dbt run: what was known of `build.duckdb` is forgotten, and what the run proves is noted at its end.

    Nothing is noted of a run that raises. Call it while holding the build lock.
    """
    _note(home).unlink(missing_ok=True)
    project = project_hash()
    yield
    try:
        passed_ids = passed_nodes(run_results(home))
    except FileNotFoundError:
        return  # nothing of the project was selected
    tests = data_tests(home)
    note = {
        "file": identity_of(home.build_database),
        "project": project,
        "passed": len(tests & passed_ids),
        "missing": sorted(tests - passed_ids),
    }
    replace_file(_note(home), json.dumps(note, indent=1).encode() + b"\n")


def ensure_tested(home: Home) -> None:
    """Run the tests where not all of them have passed on `build.duckdb` as it is. Call it while holding the build lock.

    Raises:
        BuildError: a test failed, or dbt itself.
    """
    if _problem(home) is not None:
        with noting_tests(home):
            run_tests(home)


def require_tested(home: Home) -> None:
    """Refuse to publish what is not known to have passed. Call it while holding the build lock.

    Raises:
        BuildError: not every test has run and passed on `build.duckdb` as it is now.
    """
    problem = _problem(home)
    if problem is not None:
        raise BuildError(f"not published: {problem}; run `llm-cost build`")


def _problem(home: Home) -> str | None:
    """Why `build.duckdb` may not be published; `None` where it may."""
    try:
        note = cast("dict[str, Any]", json.loads(_note(home).read_bytes()))
        file, project, passed, missing = note["file"], note["project"], note["passed"], note["missing"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return "no test is known to have passed on what is built"
    if missing or not passed:
        named = f", such as {missing[0]}" if missing else ""
        return f"{len(missing):,} tests did not run or did not pass{named}"
    if file != identity_of(home.build_database):
        return "build.duckdb was written to since its tests passed"
    if project != project_hash():
        return "the models or their tests have changed since they were run"
    return None


def _note(home: Home) -> Path:
    return home.dbt / "tested.json"
