"""The dbt project as its own developers run it: unit tests included, every warning an error, its docs complete."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.building.dbt import PROJECT, dbt_environment
from warehouse.published.model_docs import write_model_docs

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ENGINE_SPECIFIC = re.compile(
    r"\b(arg_max|arg_min|strftime|hugeint|exclude|at\s+time\s+zone|quantile_cont|unnest|epoch_ms|isodow|varchar)\b|[^:/]//",
    re.IGNORECASE,
)


RULE = re.compile(
    r"\b(case|join|where|having|over|qualify|union|coalesce|distinct|greatest|least|start_of|date_after)\b|{% (for|if)"
)
"""What makes a model more than columns that are renamed, or measures that are added up."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An empty ledger."""
    home = Home(tmp_path_factory.mktemp("empty") / "home")
    home.open()
    prepare(home)
    return home


def run_dbt(home: Home, *arguments: str) -> str:
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--warn-error", *arguments]
    done = subprocess.run(command, env=os.environ | dbt_environment(home), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def build_output(home: Home) -> str:
    """What dbt says while it builds and tests every model, unit tests included."""
    return run_dbt(home, "build")


def test_builds_an_empty_ledger_with_unit_tests_and_without_a_warning(build_output: str) -> None:
    assert "WARN=0 ERROR=0 SKIP=0" in build_output
    assert build_output.count("START unit_test") >= 60


@pytest.mark.usefixtures("build_output")
def test_its_docs_describe_every_relation_and_every_column_there_is(home: Home) -> None:
    run_dbt(home, "docs", "generate")
    described, found = (
        json.loads((home.dbt / "target" / f"{name}.json").read_text()) for name in ("manifest", "catalog")
    )
    nodes: dict[str, Any] = described["nodes"] | described["sources"]
    relations = found["nodes"] | found["sources"]
    assert relations.keys() >= {name for name in nodes if name.startswith(("model.", "source."))}
    silent = [name for name in relations if not nodes[name]["description"]]
    for name, relation in relations.items():
        texts = {column.lower(): about["description"] for column, about in nodes[name]["columns"].items()}
        silent += [f"{name}.{column}" for column in relation["columns"] if not texts.get(column.lower())]
        silent += [
            f"{name}.{column} is not there" for column in texts.keys() - {c.lower() for c in relation["columns"]}
        ]
    assert silent == []
    assert all(exposure["description"] for exposure in described["exposures"].values())


@pytest.mark.usefixtures("build_output")
def test_its_docs_are_one_page_beside_what_a_build_reads(home: Home, tmp_path: Path) -> None:
    built = {file: file.stat().st_mtime_ns for file in (home.dbt / "target").iterdir()}
    write_model_docs(home, file := tmp_path / "docs.html")
    page = file.read_text("utf-8")
    assert "Grain is one row per" in page
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {file: file.stat().st_mtime_ns for file in (home.dbt / "target").iterdir()} == built
    with pytest.raises(LedgerError, match="has no reports yet: run `llm-cost build`"):
        write_model_docs(Home(tmp_path / "nowhere"), tmp_path / "none.html")


@pytest.mark.slow
@pytest.mark.usefixtures("build_output")
def test_its_docs_open_in_a_browser_without_anything_from_outside(
    home: Home, tmp_path: Path, artifacts: Path, browser: "Browser"
) -> None:
    write_model_docs(home, file := tmp_path / "docs.html")
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"{file.as_uri()}#!/model/model.llm_costs.cost_per_user")
    page.get_by_text("Grain is one row per").first.wait_for()
    page.screenshot(path=artifacts / "docs-model.png")
    page.goto(f"{file.as_uri()}#!/overview")
    page.get_by_role("heading", name="What LLM calls cost").wait_for()
    page.screenshot(path=artifacts / "docs-overview.png")
    assert [url for url in requested if url.startswith("http")] == []


@pytest.mark.parametrize(
    ("exposure", "reader"),
    [
        ("command_line", "warehouse/cli"),
        ("alerts", "warehouse/alerts"),
        ("html_report", "warehouse/html_report"),
        ("sql_cookbook", "docs/sql-cookbook.md"),
    ],
)
def test_an_exposure_names_every_mart_its_reader_reads_and_no_other(home: Home, exposure: str, reader: str) -> None:
    manifest = json.loads((home.dbt / "target" / "manifest.json").read_text())
    marts = {node["name"] for node in manifest["nodes"].values() if node["fqn"][1:2] == ["marts"]}
    place = PROJECT.parent / reader
    text = "".join(file.read_text(encoding="utf-8") for file in ([place] if place.is_file() else place.rglob("*.py")))
    (parents,) = (node["depends_on"]["nodes"] for node in manifest["exposures"].values() if node["name"] == exposure)
    assert {parent.split(".")[-1] for parent in parents} == marts & set(re.findall(r"\w+", text))


def test_the_exposure_of_the_proof_names_every_published_cut(home: Home) -> None:
    manifest = json.loads((home.dbt / "target" / "manifest.json").read_text())
    cuts = {
        name
        for name, node in manifest["nodes"].items()
        if node["fqn"][1:2] == ["marts"] and node["config"]["meta"].get("cut")
    }
    (parents,) = (node["depends_on"]["nodes"] for node in manifest["exposures"].values() if node["name"] == "proof")
    assert set(parents) == cuts


def test_every_mart_states_its_grain_and_has_a_contract(home: Home) -> None:
    models = json.loads((home.dbt / "target" / "manifest.json").read_text())["nodes"].values()
    models = [node for node in models if node["resource_type"] == "model"]
    assert [node["name"] for node in models if "Grain is one row per" not in node["description"]] == []
    marts = [node for node in models if node["fqn"][1] == "marts"]
    assert len(marts) >= 30
    assert [node["name"] for node in marts if not node["config"]["contract"]["enforced"]] == []


def test_every_model_with_a_rule_of_its_own_has_a_unit_test(home: Home) -> None:
    manifest = json.loads((home.dbt / "target" / "manifest.json").read_text())
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    ruled = {file.stem for file in (PROJECT / "models").rglob("*.sql") if RULE.search(_code(file))}
    assert len(ruled) >= 50
    assert ruled - tested == set()


@pytest.mark.parametrize("model", sorted((PROJECT / "models").rglob("*.sql")), ids=lambda path: path.stem)
def test_no_model_speaks_the_dialect_of_one_engine(model: Path) -> None:
    assert ENGINE_SPECIFIC.findall(_code(model)) == []


def _code(model: Path) -> str:
    return re.sub(r"--.*", "", model.read_text(encoding="utf-8"))
