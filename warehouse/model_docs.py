"""What every report, column and test means, and how they follow from each other: dbt's own page, in one file."""

import json
import os
import subprocess
from pathlib import Path

from tracking.durable_files import replace_file
from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.dbt import BuildError, dbt_command, dbt_environment
from warehouse.locks import building


def write_model_docs(home: Home, path: Path) -> None:
    """Write the page about the models as they were last built to `path`, mode 0600.

    Raises:
        LedgerError: nothing was built yet, or the file cannot be written.
        BuildError: dbt failed.
    """
    if not home.build_database.exists():
        raise LedgerError(f"home {home.root} has no reports yet: run `llm-cost build`")
    target = home.dbt / "docs"
    known = json.dumps({"reporting_timezone": home.settings().reporting_timezone})
    with building(home):
        completed = subprocess.run(  # noqa: S603
            dbt_command(["docs", "generate", "--static", "--vars", known]),
            env=os.environ | dbt_environment(home) | {"DBT_TARGET_PATH": str(target)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if completed.returncode:
            last_lines = "; ".join(line.strip() for line in completed.stdout.strip().splitlines()[-3:])
            raise BuildError(f"dbt stopped with exit code {completed.returncode}: {last_lines}")
        content = (target / "static_index.html").read_bytes()
    try:
        replace_file(path, content)
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error.strerror}") from error
