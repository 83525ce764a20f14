"""Calls that were refused, for the tests of quarantine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ledgers import body

from tracking import CostTracker

FIRST = datetime(2026, 11, 2, 10, tzinfo=UTC)
"""When the first of them was made; the others follow by the minute."""


def answer(number: int) -> dict[str, Any]:
    return body(1000 + number, 100 + number, id=f"chatcmpl-{number}", model="gpt-4o")


def arguments(number: int, **given: Any) -> dict[str, Any]:
    """Of one call, without a user unless one is given."""
    return {
        "llm_response": answer(number),
        "user": None,
        "trackable": ("Assignment", number % 7),
        "request_type": "grade_student_work",
        "prompt": f"the secret words {number}",
        "provider": "openai",
        "occurred_at": FIRST + timedelta(minutes=number),
        "tenant": "north",
        "tags": {"course": "x"},
        "trace_id": f"trace-{number}",
    } | given


def one_recorded_and_others_refused(home: Path, others: int = 99) -> None:
    """What `on_error="log"` makes of calls of which only the first says whose it is."""
    with CostTracker(home, on_error="log") as tracker:
        tracker.record(**arguments(0, user="teacher-1"))
        for number in range(1, 1 + others):
            tracker.record(**arguments(number))
        assert tracker.errors == others
