"""What dbt reads of the ledger: live segments that cannot be read are said to be, before anything is built of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ledgers import record

from tracking import CostTracker, LedgerError
from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.sealing.seal import seal

Damage = Callable[[bytes], bytes | None]


@pytest.mark.parametrize("damage", [lambda whole: whole[:-8] + b"\xff" * 4 + whole[-4:], lambda whole: None])
def test_a_segment_that_cannot_be_read_stops_a_build_and_what_names_it_is_said(home: Path, damage: Damage) -> None:
    with CostTracker(home) as tracker:
        record(tracker)
    seal(Home(home))
    (file,) = Home(home).usage.glob("*/*.parquet")
    damaged = damage(file.read_bytes())
    file.unlink() if damaged is None else file.write_bytes(damaged)
    with pytest.raises(LedgerError, match=r"segments cannot be read: .*; `llm-cost verify` names the damaged file"):
        prepare(Home(home))
