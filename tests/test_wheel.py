"""The built wheel works in an empty environment, away from the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def uv() -> str:
    found = Path(sys.executable).with_name("uv")
    if not found.exists():
        pytest.skip("needs the uv that `make setup` installs")
    return str(found)


@pytest.fixture(scope="module")
def wheel(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    _run(uv, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", out, ROOT)
    (built,) = out.glob("*.whl")
    return built


def _environment(uv: str, wheel: Path, folder: Path, extra: str) -> Path:
    _run(uv, "venv", "--quiet", "--python", sys.executable, folder)
    constraints = ROOT / "requirements" / "dev.txt"
    names = folder / "constraints.txt"
    # Hashes are for whole requirement files; here the same versions are enough.
    names.write_text("\n".join(line.rstrip(" \\") for line in constraints.read_text().splitlines() if line[0] != " "))
    python = folder / "bin" / "python"
    _run(uv, "pip", "install", "--quiet", "--python", python, "--constraint", names, f"{wheel}{extra}")
    return folder / "bin"


def _run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_takes_three_import_names_and_no_other(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tracking", "warehouse", "dagster_project"}
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "takes the import names `tracking`, `warehouse` and `dagster_project`" in readme


def test_it_holds_the_dbt_project_inside_the_package_and_nothing_that_dbt_wrote(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("warehouse/sql/")}
    listed = subprocess.run(["git", "ls-files", "sql"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs the checkout's git")
    assert names == {f"warehouse/{file}" for file in listed.stdout.split() if not Path(file).name.startswith(".")}


def test_with_extras_it_runs_the_demo_elsewhere(uv: str, wheel: Path, tmp_path: Path) -> None:
    binaries = _environment(uv, wheel, tmp_path / "venv", "[warehouse,dagster]")
    output = _run(binaries / "llm-cost", "demo", "--calls", "400", cwd=tmp_path)
    assert "Recorded 400 calls" in output
    cuts = sum("cut: true" in file.read_text(encoding="utf-8") for file in (ROOT / "sql" / "models").rglob("*.yml"))
    assert output.count(" equal ") == cuts > 0
    assert "DIFFERENT" not in output
    _run(binaries / "python", "-c", "import dagster_project.definitions", cwd=tmp_path)


def test_alone_it_records_and_names_what_the_rest_needs(uv: str, wheel: Path, tmp_path: Path) -> None:
    binaries = _environment(uv, wheel, tmp_path / "venv", "")
    program = (
        "from tracking import CostTracker\n"
        "body = {'id': 'x', 'model': 'gpt-5-mini', 'usage': {'prompt_tokens': 12, 'completion_tokens': 3}}\n"
        "print(CostTracker().record(llm_response=body, trackable=('Assignment', 1), user=1,\n"
        "    request_type='generate_rubric', prompt='p').cost_usd)\n"
    )
    assert _run(binaries / "python", "-c", program, cwd=tmp_path) == "0.000009000000\n"
    refused = subprocess.run([binaries / "llm-cost", "build"], capture_output=True, text=True)
    assert refused.returncode == 2
    assert "pip install 'llm-cost-ledger[warehouse]'" in refused.stderr
