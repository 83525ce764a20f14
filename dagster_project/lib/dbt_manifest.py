"""The dbt manifest that definitions are loaded from: prepared once per version of the project, read ever after."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tracking.durable_files import replace_file
from tracking.home import Home
from warehouse.building.dbt import PROJECT, BuildError, project_hash, run_command
from warehouse.locks import parsing_project


def prepared_manifest(home: Home) -> Mapping[str, Any]:
    """The project's manifest. It is parsed (about 5 s) only where this version of the project never was.

    Any number of processes may ask at once: the first one parses, the others wait for it.

    Raises:
        BuildError: dbt cannot parse the project.
    """
    manifest = home.dbt / f"manifest-{_digest()}.json"
    if not manifest.exists():
        with parsing_project(home):
            if not manifest.exists():
                _parse(home, manifest)
    return json.loads(manifest.read_bytes())


def _digest() -> str:
    """Changes whenever the manifest could: with the project, or with the dbt that reads it."""
    return hashlib.sha256(f"{project_hash()} {version('dbt-core')} {version('dbt-duckdb')}".encode()).hexdigest()[:16]


def _parse(home: Home, manifest: Path) -> None:
    """Run `dbt parse` beside the target of builds, which another process may be writing."""
    target = home.dbt / "parse"
    completed = run_command(home, ["parse"], {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)})
    if completed.returncode:
        raise BuildError(f"dbt cannot parse {PROJECT}:\n{completed.stdout.strip()}")
    replace_file(manifest, (target / "manifest.json").read_bytes())
    shutil.rmtree(target)
    for outdated in home.dbt.glob("manifest-*.json"):
        if outdated != manifest:
            outdated.unlink(missing_ok=True)
