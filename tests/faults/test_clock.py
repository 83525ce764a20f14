"""The clock jumps while calls are recorded: no row depends on its telling the truth, or on its running forwards."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from books import LONG, Tally, calls, sealed_and_visible

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="needs Debian's faketime")

WRITER = """
import os, sys, time
sys.path.insert(0, {here!r})
from pathlib import Path
from books import calls, record
from tracking import CostTracker
jumps = ["+0", "-1h", "+1d", "-30d", "+400d", "+0", "-5"]
with CostTracker({home!r}, durability={durability!r}) as tracker:
    for call in calls("writer", {count}):
        Path({clock!r}).write_text(jumps[call.number % len(jumps)])
        record(tracker, call)
        record(tracker, call._replace(writer="nameless"), without_id=True)
"""


@pytest.mark.parametrize("durability", ["interval", "always"])
def test_the_clock_jumps_back_and_forth(durability: str, tmp_path: Path, tally: Tally) -> None:
    home, clock = tmp_path / "home", tmp_path / "clock"
    clock.write_text("+0")
    count = 300 if LONG else 30
    code = WRITER.format(
        here=str(Path(__file__).parent), home=str(home), clock=str(clock), count=count, durability=durability
    )
    environment = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    tally.count(sealed_and_visible(home), [*calls("writer", count), *calls("nameless", count)])
    recorded_at = pl.read_parquet(list((home / "usage").rglob("*.parquet")), hive_partitioning=False)["recorded_at"]
    assert recorded_at.max() - recorded_at.min() > timedelta(days=400)
