"""The dbt project as its own developers run it: unit tests included, every warning an error."""

import os
import subprocess
import sys
from pathlib import Path

from tracking.home import Home
from warehouse.build import prepare
from warehouse.dbt import dbt_environment


def test_builds_an_empty_ledger_with_unit_tests_and_without_a_warning(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.open()
    prepare(home)
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--warn-error", "build"]
    done = subprocess.run(command, env=os.environ | dbt_environment(home), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "WARN=0 ERROR=0 SKIP=0" in done.stdout
    assert done.stdout.count("START unit_test") >= 5
