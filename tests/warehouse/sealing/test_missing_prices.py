"""A journal copied here from another home brings rows, and not the prices they name."""

import shutil
from pathlib import Path

import pytest
from ledgers import NOON, assert_holds_exactly, body, journals, record

from tracking import CostTracker
from tracking.home import Home
from warehouse.integrity.verify import verify
from warehouse.sealing.seal import seal

OWN_PRICE = """
[[price]]
provider = "openai"
model = "gpt-4o"
[price.rates]
input_mtok = 1
output_mtok = 2
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Home:
    """Another host's home."""
    return Home(tmp_path / "elsewhere")


@pytest.fixture
def here(home: Path) -> Home:
    with CostTracker(home):
        return Home(home)


def copy_journals(source: Home, target: Home) -> None:
    for path in journals(source.root):
        shutil.copy(path, target.journal / f"copied-{path.name}")


def test_its_prices_are_kept_anew(elsewhere: Home, here: Home) -> None:
    with CostTracker(elsewhere.root) as tracker:
        record(tracker, body(1000, 100))
        record(tracker, body(1000, 100, id="flex", model="gpt-5-mini", service_tier="flex"))
        record(tracker, {"custom_id": "a", "response": {"status_code": 200, "body": body(7, id="batch")}})
    prices = {path.name: path.read_bytes() for path in elsewhere.prices.iterdir()}
    assert len(prices) == 3
    copy_journals(elsewhere, here)
    seal(here)
    assert {path.name: path.read_bytes() for path in here.prices.iterdir()} == prices
    assert verify(here).problems == []


def test_one_that_is_not_known_here_is_named_and_the_row_is_whole(elsewhere: Home, here: Home) -> None:
    with CostTracker(elsewhere.root):
        pass
    elsewhere.prices_toml.write_text(OWN_PRICE)
    with CostTracker(elsewhere.root) as tracker:
        there = record(tracker, body(1000, 100), at=NOON)
    copy_journals(elsewhere, here)
    seal(here)
    assert there.price_id is not None
    assert_holds_exactly(here, [there])
    [problem] = verify(here).problems
    assert problem.place == f"prices/{there.price_id}.json"
    assert "is missing; a row of usage/" in problem.problem


def test_a_malformed_prices_toml_stops_no_sealing(elsewhere: Home, here: Home) -> None:
    with CostTracker(elsewhere.root) as tracker:
        record(tracker, body(1000, 100))
    copy_journals(elsewhere, here)
    here.prices_toml.write_text("[[price]")
    assert seal(here).rows == 1
