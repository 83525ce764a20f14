"""A line of a journal that is no record, whatever stands in its columns, stops neither a verification nor a listing."""

import json
from pathlib import Path
from typing import Any

import pytest
from ledgers import body, write_journal

from tracking import CostTracker
from tracking.home import Home
from tracking.journal.writer import encode_line
from warehouse.integrity.verify import verify
from warehouse.quarantine.damaged_columns import entry_of_columns, readable_columns
from warehouse.quarantine.refused_calls import refused_calls
from warehouse.sealing.seal import seal

WHOLE: dict[str, Any] = {
    "record_id": "r-1",
    "user_id": "u-1",
    "trackable_type": "Assignment",
    "trackable_id": "1",
    "provider": "openai",
    "model": "gpt-4o",
    "input_tokens": 10,
    "output_tokens": 5,
    "pricing_status": "priced",
    "occurred_at": "2026-11-02T10:00:00Z",
}


@pytest.mark.parametrize(
    "change",
    [
        {"record_id": "\ud800"},
        {"trackable_type": 2},
        {"trackable_id": True},
        {"price_assumptions": 5},
        {"price_assumptions": "[" * 2000},
        {"price_context": "[1]"},
        {"tags": "[" * 2000},
        {"tags": '{"a": "\\ud800"}'},
        {"other_units": '{"\\udfff": 1}'},
        {"other_units": "[]"},
        {"input_tokens": "many"},
        {"cost_usd": 1e300},
        {"occurred_at": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_a_hostile_line_is_kept_and_listed_and_stops_nobody(home: Path, change: dict[str, Any]) -> None:
    with CostTracker(home) as tracker:
        tracker.record(llm_response=body(id="a"), provider="openai", user=1, trackable=("A", 1),
                       request_type="generate_rubric", prompt="p")  # fmt: skip
    write_journal(home, encode_line(json.dumps(WHOLE | change).encode()))
    assert seal(Home(home)).quarantined == 1
    assert [problem.problem for problem in verify(Home(home)).problems if "Error" in problem.problem] == []
    (call,) = refused_calls(Home(home))
    assert "\ud800" not in repr(call)


def test_only_columns_of_their_own_kind_are_read() -> None:
    line = json.dumps({"user_id": 7, "stream": True, "input_tokens": True, "model": "m", "tenant": "\udc80"})
    assert readable_columns(line) == {"stream": True, "model": "m"}
    assert entry_of_columns({})["trackable"] is None
