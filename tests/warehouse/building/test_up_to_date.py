"""When a build has nothing to do. None of these tests runs dbt: `test_building` does."""

import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from ledgers import NOON, record, record_month

from tracking import CostTracker
from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.building.rebuild import forget_days
from warehouse.building.up_to_date import inputs_of, is_published, note_published
from warehouse.sealing.seal import seal

TODAY = date(2026, 11, 20)
BUDGET = """
[[budget]]
name = "{name}"
scope = "all"
period = "month"
limit_usd = "10"
"""
PRICE = """
[[price]]
provider = "openai"
model = "school-own-grader"
from = 2026-01-01
[price.rates]
input_mtok = "1.00"
output_mtok = "2.00"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Prepared, and published as far as these tests can tell."""
    home = Home(tmp_path_factory.mktemp("up_to_date") / "home")
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        record_month(tracker, 20)
    seal(home)
    home.warehouse_database.write_bytes(b"the reports")
    publish_as_it_is(home)
    return home


def publish_as_it_is(home: Home) -> None:
    prepare(home)
    note_published(home, inputs_of(home), TODAY)


def is_up_to_date(home: Home, as_of: date | None = None) -> bool:
    prepare(home)
    return is_published(home, inputs_of(home, as_of), TODAY)


def record_late_row(home: Home) -> None:
    with CostTracker(home.root) as tracker:
        record(tracker, at=NOON + timedelta(minutes=1))
    seal(home)


def write(relative: str, content: str) -> Callable[[Home], None]:
    def change(home: Home) -> None:
        path = home.root / relative
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)

    return change


def move_zone(home: Home) -> None:
    text = home.ledger_toml.read_text()
    assert '"UTC"' in text
    home.ledger_toml.write_text(text.replace('"UTC"', '"Europe/Berlin"'))


def set_outliers(home: Home) -> None:
    home.ledger_toml.write_text(home.ledger_toml.read_text().replace("[reports]", "[reports]\noutlier_robust_z = 5"))


def touch_published(home: Home) -> None:
    os.utime(home.warehouse_database, (1, 1))


def replace_published(home: Home) -> None:
    other = home.root / "other"
    other.write_bytes(home.warehouse_database.read_bytes())
    other.replace(home.warehouse_database)


CHANGES: dict[str, Callable[[Home], object]] = {
    "a late row": record_late_row,
    "a user's name": write("dimensions/users.csv", "user_id,name\nteacher-1,Ada\n"),
    "an assignment's name": write("dimensions/assignments.csv", "assignment_id,name\n1,Essay\n"),
    "a budget": write("budgets.toml", BUDGET.format(name="all")),
    "only a budget's name": write("budgets.toml", BUDGET.format(name="everything")),
    "an invoice": write(
        "invoices/november.csv",
        "provider,from,to,amount,currency\nopenai,2026-11-01,2026-11-30,1.00,USD\n",
    ),
    "a price": write("prices.toml", PRICE),
    "the reporting timezone": move_zone,
    "a setting of the reports": set_outliers,
    "a published file written to": touch_published,
    "another published file": replace_published,
    "no published file": lambda home: home.warehouse_database.rename(home.root / "gone"),
    "a day that somebody doubts": lambda home: forget_days(home, [NOON.date()]),
    "no build file": lambda home: home.build_database.unlink(),
}


def test_what_nothing_changed_is_up_to_date(home: Home) -> None:
    assert is_up_to_date(home)
    assert is_up_to_date(home)
    assert not is_up_to_date(home, date(2026, 11, 20))


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_input_is_never_taken_for_up_to_date(home: Home, change: str) -> None:
    """Each in turn; once it is published it is up to date again."""
    CHANGES[change](home)
    assert not is_up_to_date(home)
    home.warehouse_database.write_bytes(b"the reports")
    publish_as_it_is(home)
    assert is_up_to_date(home)


def test_a_changed_model_is_never_taken_for_up_to_date(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.building.up_to_date.project_hash", lambda: "other models")
    assert not is_up_to_date(home)


def test_what_no_model_makes_any_longer_is_dropped(tmp_path: Path) -> None:
    """Tables, views and reports as of an instant; those of models that are there stay."""
    home = Home(tmp_path / "home")
    home.open()
    with duckdb.connect(home.build_database) as built:
        for name in ("cost_per_moon", "cost_per_day", "int_cost_daily"):
            built.execute(f"create table {name} as select 1 as requests")
        built.execute("create view stg_moons as select 1 as moon")
        for name in ("cost_per_moon", "cost_per_day", "cost_daily"):
            built.execute(f"create macro {name}_as_of(instant) as table select instant")
    prepare(home)
    with duckdb.connect(home.build_database, read_only=True) as built:
        relations = built.execute("select table_name from information_schema.tables where table_schema = 'main'")
        assert sorted(name for (name,) in relations.fetchall()) == ["cost_per_day", "int_cost_daily"]
        macros = built.execute(
            "select function_name from duckdb_functions() where function_type = 'table_macro' and not internal"
        )
        assert {name for (name,) in macros.fetchall() if name.startswith("cost")} == {
            "cost_per_day_as_of",
            "cost_daily_as_of",
        }
