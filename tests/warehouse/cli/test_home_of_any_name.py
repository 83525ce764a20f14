"""Every command on a home whose path means something to globs, to DuckDB and to URLs: the same answers as anywhere."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from ledgers import NOON, body, llm_cost_process, record, visible
from typer.testing import CliRunner

from tracking import CostTracker
from tracking.home import Home
from warehouse.cli import app
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal

ODD = "[a]*?{b} ü"
COMMANDS = sorted(typer.main.get_command(app).list_commands(None))
HEAVY = {"demo", "docs", "erase", "ui"}
"""Each builds anew, or starts Dagster."""

ARGUMENTS = {
    "backup": ["{beside}/backup", "--json"],
    "demo": ["--calls", "40", "--home", "{beside}/demo"],
    "docs": ["{beside}/docs.html"],
    "erase": ["--user", "teacher-1", "--yes", "--json"],
    "export": ["--standalone", "{beside}/costs.duckdb"],
    "import": ["{beside}/calls.jsonl", "--user", "teacher-2", "--trackable", "Assignment:1", "--json"],
    "init": [],
    "price": ["gpt-4o", "--input", "1000", "--at", "2026-05-01", "--json"],
    "quarantine": ["list", "--json"],
    "report": ["{beside}/report.html"],
    "reprice": ["--dry-run", "--json"],
    "restore": ["{beside}/restorable", "--home", "{beside}/restored", "--json"],
    "retain": ["--prompts-days", "10", "--dry-run", "--json"],
    "sql": ["select record_id, requests, llm, status, cost_usd from fct_usage order by record_id", "--json"],
    "top": ["models", "--json"],
    "ui": ["--prepare"],
}
"""What a command is given; the others are asked for JSON alone."""

VARYING_TEXT = re.compile(r"\d+\.\d+ (s|GiB)\b|\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?")
VARYING = re.compile(r"bytes|seconds|size|recorded_at|kept_manifest|elapsed|generated")


@dataclass(frozen=True)
class Place:
    """A home, in a folder of its own with what lies beside it."""

    beside: Path

    @property
    def home(self) -> Home:
        return Home(self.beside / "home")

    def prepare(self) -> None:
        """Calls of two sealings, with an unpriced one, a correction and prompts; and what commands are given."""
        self.beside.mkdir(parents=True)
        partial = body(1000, 100, id="chatcmpl-partial")
        with CostTracker(self.home.root, on_unknown_model="record") as tracker:
            record(tracker, partial, user="teacher-1")
            record(tracker, body(10, id="chatcmpl-own", model="school-own-grader"), user="teacher-2")
            seal(self.home)
            record(tracker, body(1000, 200, id="chatcmpl-partial"), user="teacher-1")
            for number in range(4):
                record(tracker, body(10**number, id=f"chatcmpl-{number}"), at=NOON + timedelta(hours=number))
            seal(self.home)
        line = {"provider": "openai", "response": body(7, id="chatcmpl-7"), "request_type": "generate_rubric"}
        line["occurred_at"] = NOON.isoformat()
        (self.beside / "calls.jsonl").write_text(json.dumps(line) + "\n")

    def run(self, command: str) -> tuple[int, Any]:
        """The command's exit code, and what it said: its JSON, else its text, without what varies from run to run."""
        arguments = [each.replace("{beside}", str(self.beside)) for each in ARGUMENTS.get(command, ["--json"])]
        if "--home" not in arguments:
            arguments += ["--home", str(self.home.root)]
        if command == "ui":  # it becomes another program
            done = llm_cost_process(command, *arguments)
            return done.returncode, self._comparable(done.stdout)
        done = CliRunner().invoke(app, [command, *arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), (command, done.exception)
        return done.exit_code, self._comparable(done.stdout)

    def _comparable(self, said: str) -> Any:
        try:
            return self._without_varying(json.loads(said))
        except ValueError:
            return self._without_varying(said)

    def _without_varying(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._without_varying(each) for name, each in value.items() if not VARYING.search(name)}
        if isinstance(value, list):
            return [self._without_varying(each) for each in value]
        if not isinstance(value, str):
            return value
        placeless = value.replace(str(self.home.dagster), "DAGSTER").replace(str(self.beside), "BESIDE")
        # A table is as wide as its widest line.
        return VARYING_TEXT.sub("", re.sub(r"[─ ]+", " ", placeless))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Place]]:
    """The same calls in a plain folder and in the odd one, built by the command itself."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        plain, odd = (Place(tmp_path_factory.mktemp("homes") / name) for name in ("plain", ODD))
        for place in (plain, odd):
            place.prepare()
        assert plain.run("build") == odd.run("build")
        for place in (plain, odd):
            assert place.run("backup")[0] == 0
            (place.beside / "backup").rename(place.beside / "restorable")
        yield plain, odd


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=[pytest.mark.slow] * (name in HEAVY)) for name in COMMANDS]
)
def test_every_command_gives_the_same_answers(command: str, places: tuple[Place, Place]) -> None:
    plain, odd = places
    expected, found = plain.run(command), odd.run(command)
    assert expected[0] == 0, expected
    assert found == expected


def test_what_is_unpriced_is_seen(places: tuple[Place, Place]) -> None:
    _, odd = places
    code, report = odd.run("reprice")
    assert (code, report["still_unpriced"]) == (0, 1)


def test_what_if_costs_are_computed(places: tuple[Place, Place]) -> None:
    rows = []
    for place in places:
        with open_warehouse(place.home) as connection:
            rows.append(connection.execute("from ledger.what_if_costs order by all").fetchall())
    assert rows[0] == rows[1]
    assert rows[1]


def test_verification_is_clean(places: tuple[Place, Place]) -> None:
    _, odd = places
    code, report = odd.run("verify")
    assert (code, report["problems"]) == (0, [])


def test_sealing_goes_on_after_its_ids_were_deleted(tmp_path: Path) -> None:
    place = Place(tmp_path / ODD)
    place.prepare()
    before = visible(place.home)
    shutil.rmtree(place.home.ids)
    with CostTracker(place.home.root) as tracker:
        record(tracker, body(10, id="chatcmpl-1"), at=NOON + timedelta(hours=1))  # known already
        record(tracker, body(10, id="chatcmpl-new"))
    report = seal(place.home)
    assert (report.rows, report.duplicates) == (1, 1)
    assert len(visible(place.home)) == len(before) + 1
