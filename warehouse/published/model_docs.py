"""What every report, column and test means, and how they follow from each other: dbt's own page, in one file."""

import json
from pathlib import Path

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.building.dbt import dbt_variables, run_command, stopped
from warehouse.locks import building
from warehouse.published.named_files import writing


def write_model_docs(home: Home, path: Path) -> None:
    """Write the page about the models as they were last built to `path`, mode 0600.

    Raises:
        LedgerError: nothing was built yet, or the disk refuses what dbt or this writes.
        BuildError: dbt failed.
    """
    if not home.build_database.exists():
        raise LedgerError(f"home {home.root} has no reports yet: run `llm-cost build`")
    target = home.dbt / "docs"
    variables = json.dumps(dbt_variables(home.settings()))
    with building(home):
        completed = run_command(
            home, ["docs", "generate", "--static", "--vars", variables], {"DBT_TARGET_PATH": str(target)}
        )
        if completed.returncode:
            raise stopped(home, completed)
        content = (target / "static_index.html").read_bytes()
    with writing(path) as temporary:
        temporary.write_bytes(content)
