"""What someone who changes a model runs: dbt by hand in `sql/`, the hooks, one test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import warehouse.building.dbt
from warehouse.building.dbt import PROJECT, dbt_command, project_hash

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the dbt project in a folder of its own."""
    project = tmp_path / "sql"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    monkeypatch.setattr(warehouse.building.dbt, "PROJECT", project)
    return project


def make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_dbt_parses_the_project_by_hand_without_a_variable_set(project: Path) -> None:
    before = project_hash()
    done = subprocess.run(dbt_command(["--warn-error", "parse"]), cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert (project / "target" / "manifest.json").exists()
    # A compiled model lies in a folder that is named like the file of its test.
    (project / "target" / "compiled" / "schema.yml").mkdir(parents=True)
    assert project_hash() == before, "what dbt wrote is taken for changed models"


def test_a_changed_model_changes_the_projects_hash(project: Path) -> None:
    before = project_hash()
    model = next((project / "models").rglob("cost_per_day.sql"))
    model.write_text(model.read_text() + "\n")
    assert project_hash() != before


def test_make_runs_one_test_or_all_but_the_slow_ones() -> None:
    assert '--numprocesses 2 --dist loadfile -m "not slow"' in make("test")
    one = make("test", "T=tests/sql/test_unit_economics.py")
    assert one.rstrip().endswith('pytest  -m "not slow" tests/sql/test_unit_economics.py')


def test_make_runs_dbt_in_the_project_on_a_prepared_home() -> None:
    assert make("dbt", "ARGS=test -s cost_anomalies").rstrip().endswith("dbt --warn-error test -s cost_anomalies")


def test_the_hooks_ask_what_make_check_asks_of_single_files() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {hook["entry"].split()[0] for hook in local["hooks"]} == {
        f".venv/bin/{tool}" for tool in ("ruff", "pyright", "sqlfluff")
    }
    checked = make("check")
    for hook in local["hooks"]:
        assert hook["entry"].split(" --")[0] in checked


def test_the_hooks_refuse_what_is_badly_written(tmp_path: Path) -> None:
    """In a repository of its own, with the packages of this one."""
    environment = os.environ | {"PRE_COMMIT_HOME": str(tmp_path / "cache"), "GIT_CONFIG_GLOBAL": os.devnull}

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*map(str, command)], cwd=tmp_path, env=environment, capture_output=True, text=True)

    (tmp_path / ".venv").symlink_to(BIN.parent)
    for file in (".pre-commit-config.yaml", "pyproject.toml", "sql/.sqlfluff"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "tracking").mkdir()
    (tmp_path / "sql" / "models").mkdir()
    (tmp_path / "tracking" / "bad.py").write_text("def double(number: int) -> str :\n    return 2*number\n")
    (tmp_path / "sql" / "models" / "bad.sql").write_text("SELECT a from b\n")
    assert run("git", "init", "--quiet").returncode == 0
    assert run("git", "add", "tracking", "sql", ".pre-commit-config.yaml").returncode == 0
    done = run(BIN / "pre-commit", "run", "--color", "never")
    assert done.returncode == 1, done.stderr
    outcomes = {line.split(".")[0]: line.rsplit(".", 1)[-1] for line in done.stdout.splitlines() if "...." in line}
    assert outcomes == {"ruff check": "Passed", "ruff format": "Failed", "pyright": "Failed", "sqlfluff": "Failed"}
