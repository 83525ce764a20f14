"""The hash of the code behind stored results: no module that they depend on can be forgotten."""

import shutil
from pathlib import Path

import grimp
import pytest

from warehouse.source_code import ROOT, code_behind, code_file, code_hash

KEEPERS = ("warehouse.sources.what_if_costs", "warehouse.sources.price_history", "warehouse.building.up_to_date")
"""Modules that keep results beside the hash of their code."""

hashed = code_hash.__wrapped__
"""As a process that begins anew would."""


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Every import of ours, as the import contracts see them."""
    return grimp.build_graph("tracking", "warehouse", cache_dir=None)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    for package in ("tracking", "warehouse"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.mark.parametrize("module", [*KEEPERS, "warehouse.cli", "warehouse.building.build"])
def test_the_code_behind_a_module_is_all_it_imports_of_ours(imports: grimp.ImportGraph, module: str) -> None:
    assert code_behind(module) == imports.find_upstream_modules(module) | {module}


@pytest.mark.parametrize("module", KEEPERS)
def test_a_change_of_any_module_behind_is_a_change(imports: grimp.ImportGraph, copy: Path, module: str) -> None:
    before = hashed(module, copy)
    for behind in (module, *imports.find_upstream_modules(module)):
        file = code_file(behind, copy)
        code = file.read_text(encoding="utf-8")
        file.write_text(f"{code}# mended\n", encoding="utf-8")
        assert hashed(module, copy) != before, behind
        file.write_text(code, encoding="utf-8")
    assert hashed(module, copy) == before


def test_a_change_of_what_pages_and_commands_look_like_is_none(copy: Path) -> None:
    before = [hashed(module, copy) for module in KEEPERS]
    for file in [*copy.glob("warehouse/cli/*.py"), *copy.glob("warehouse/html_report/*.py")]:
        file.write_text(f"{file.read_text(encoding='utf-8')}# mended\n", encoding="utf-8")
    assert [hashed(module, copy) for module in KEEPERS] == before


def test_a_changed_data_file_beside_the_code_is_a_change(copy: Path) -> None:
    before = hashed("warehouse.sources.what_if_costs", copy)
    (copy / "tracking" / "pricing" / "supplement.toml").write_text("dated = 1\n", encoding="utf-8")
    assert hashed("warehouse.sources.what_if_costs", copy) != before
