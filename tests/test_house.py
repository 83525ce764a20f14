"""The plan of the house holds: rooms that can be taken in at a glance, modules that can be read in one go."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ("tracking", "warehouse", "dagster_project")
MOST_MODULES = 16
MOST_LINES = 320
LONGER = {"tests/tracking/capture/test_watched_openai.py", "tests/tracking/capture/test_watched_others.py"}
"""A client's methods beside each other: what is recorded of one is told apart from what is recorded of the next."""


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return found


@pytest.mark.parametrize("folder", [*HOUSE, "tests"])
def test_no_folder_holds_more_modules_than_can_be_taken_in(folder: str) -> None:
    counted = Counter(path.parent.relative_to(ROOT).as_posix() for path in modules(folder))
    assert {room: count for room, count in counted.items() if count > MOST_MODULES} == {}


def test_no_folder_of_models_holds_more_than_can_be_taken_in() -> None:
    counted = Counter(path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "sql" / "models").rglob("*.sql"))
    assert counted
    assert {room: count for room, count in counted.items() if count > MOST_MODULES} == {}


def test_no_module_is_longer_than_can_be_read_in_one_go() -> None:
    folders = [ROOT / "sql" / name for name in ("models", "macros", "tests")]  # not what dbt wrote beside them
    of_dbt = [path for folder in folders for kind in ("*.sql", "*.yml") for path in folder.rglob(kind)]
    paths = [*modules(*HOUSE, "tests"), *of_dbt]
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_bytes().splitlines()) for path in paths}
    assert {name: count for name, count in lines.items() if count > MOST_LINES and name not in LONGER} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in modules(*HOUSE) if path.read_bytes().strip() and not _docstring(path)]
    assert [path.relative_to(ROOT).as_posix() for path in silent] == []


def test_what_make_smoke_selects_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    selected = re.findall(r"^SMOKE := (.*)$", makefile, flags=re.MULTILINE)[0].split()
    assert len(selected) > 5
    for path, _, test in (name.partition("::") for name in selected):
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), test


def test_every_room_is_on_the_plan() -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.relative_to(ROOT).as_posix() for path in modules(*HOUSE)} - {*HOUSE}
    assert {room for room in rooms if f"`{room}/`" not in plan} == set()


def _docstring(path: Path) -> str | None:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_what_the_docs_name_is_there() -> None:
    """A path that says where to go must lead somewhere; `<name>` stands for any."""
    for page in ("architecture.md", "contributing.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        paths = re.findall(r"`((?:tracking|warehouse|dagster_project|sql|tests)/[\w./<>]*)`", text)
        assert len(paths) > 15
        patterns = {path: re.sub(r"<\w+>", "*", path) for path in paths}
        assert [path for path, pattern in patterns.items() if not list(ROOT.glob(pattern.rstrip("/")))] == []
