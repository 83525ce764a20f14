"""Days of many segments, and what compaction replaced deleted."""

from datetime import timedelta
from pathlib import Path

from ledgers import NOON, body, record

from tracking import CostTracker, LLMUsageRecord
from tracking.home import Home
from warehouse.ledger.tidy import tidy
from warehouse.locks import building
from warehouse.sealing.seal import seal

AT_ONCE = timedelta(0)


def record_often(home: Path, times: int = 3, days: int = 2) -> list[LLMUsageRecord]:
    """So many segments on each of so many days; each holds a priced, an unpriced row and one without a prompt."""
    records: list[LLMUsageRecord] = []
    with (
        CostTracker(home, on_unknown_model="record") as tracker,
        CostTracker(home, prompt_policy="drop") as secretive,
    ):
        for time in range(times):
            for day in range(days):
                at = NOON + timedelta(days=day, minutes=time)
                number = 10 * time + day
                records += [
                    record(tracker, body(number + 1), at=at, user=f"teacher-{9 - time}", prompt=f"prompt {number}"),
                    record(tracker, body(number + 2, model="own"), at=at, user="ann"),
                ]
            seal(tracker.home)
        records.append(record(secretive, body(5), at=NOON))
        seal(tracker.home)
    return records


def tidied(home: Path, grace: timedelta = AT_ONCE) -> None:
    with building(Home(home)):
        tidy(Home(home), grace)
