"""The dbt project as its own developers run it: unit tests included, every warning an error, its docs complete."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tracking.home import Home
from warehouse.build import prepare
from warehouse.dbt import PROJECT, dbt_environment

ENGINE_SPECIFIC = re.compile(
    r"\b(arg_max|arg_min|strftime|hugeint|exclude|at\s+time\s+zone|quantile_cont|unnest|epoch_ms|isodow|varchar)\b|[^:/]//",
    re.IGNORECASE,
)


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


def test_builds_an_empty_ledger_with_unit_tests_and_without_a_warning(home: Home) -> None:
    said = run_dbt(home, "build")
    assert "WARN=0 ERROR=0 SKIP=0" in said
    assert said.count("START unit_test") >= 11


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


@pytest.mark.parametrize("model", sorted((PROJECT / "models").rglob("*.sql")), ids=lambda path: path.stem)
def test_no_model_speaks_the_dialect_of_one_engine(model: Path) -> None:
    code = re.sub(r"--.*", "", model.read_text(encoding="utf-8"))
    assert ENGINE_SPECIFIC.findall(code) == []
