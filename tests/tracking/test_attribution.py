"""Attribution set once per request: by thread, by task, by block, and never for anybody else."""

import asyncio
import contextvars
import threading
from typing import Any

import pytest
from provider_answers import CHAT

from tracking import ArgumentError, CostTracker, LLMUsageRecord, attribution


def record(tracker: CostTracker, **given: Any) -> LLMUsageRecord:
    return tracker.record(llm_response=CHAT, prompt="p", **given)


EVERYTHING: dict[str, Any] = {
    "user": "u1",
    "trackable": ("Rubric", 1),
    "request_type": "generate_rubric",
    "trackable_parent": ("Assignment", 2),
    "tenant": "school",
    "tags": {"a": 1},
    "trace_id": "t",
}


def attributed(row: LLMUsageRecord) -> tuple[Any, ...]:
    parent = f"{row.trackable_parent_type}:{row.trackable_parent_id}"
    trackable = f"{row.trackable_type}:{row.trackable_id}"
    return row.user_id, trackable, row.request_type, parent, row.tenant, row.tags, row.trace_id


def test_everything_said_once_holds_inside_the_block_and_not_after(tracker: CostTracker) -> None:
    with attribution(**EVERYTHING):
        row = record(tracker)
    assert attributed(row) == ("u1", "Rubric:1", "generate_rubric", "Assignment:2", "school", '{"a": 1}', "t")
    with pytest.raises(ArgumentError, match="trackable is missing"):
        record(tracker)


def test_inner_blocks_add_to_outer_ones_and_arguments_win(tracker: CostTracker) -> None:
    with attribution(**EVERYTHING):
        with attribution(user="u2", tags={"b": 2}):
            inner = record(tracker, tenant=0)
        outer = record(tracker, user="u3")
    assert (inner.user_id, inner.tags, inner.tenant, inner.trace_id) == ("u2", '{"b": 2}', "0", "t")
    assert (outer.user_id, outer.tags, outer.tenant) == ("u3", '{"a": 1}', "school")


def test_an_empty_argument_is_said_too(tracker: CostTracker) -> None:
    with attribution(**EVERYTHING):
        assert record(tracker, tags={}).tags is None
        with pytest.raises(ArgumentError, match="tenant is blank"):
            record(tracker, tenant="")


def test_a_parent_that_is_falsy_is_a_parent(tracker: CostTracker) -> None:
    class Course:
        id = 7

        def __len__(self) -> int:
            return 0

    row = record(tracker, user=1, trackable=("A", 1), request_type="generate_rubric", trackable_parent=Course())
    assert (row.trackable_parent_type, row.trackable_parent_id) == ("Course", "7")


def test_nothing_is_its_own_parent(tracker: CostTracker) -> None:
    with pytest.raises(ArgumentError, match="trackable_parent is the trackable itself"):
        record(tracker, user=1, trackable=("A", 1), request_type="generate_rubric", trackable_parent=("A", "1"))
    other = record(tracker, user=1, trackable=("A", 1), request_type="generate_rubric", trackable_parent=("B", 1))
    assert (other.trackable_parent_type, other.trackable_parent_id) == ("B", "1")


def test_in_a_block_about_what_belongs_to_a_thing_the_thing_itself_belongs_to_nothing(tracker: CostTracker) -> None:
    with attribution(user=1, request_type="generate_rubric", trackable_parent=("Assignment", 1)):
        part = record(tracker, trackable=("Rubric", 1))
        itself = record(tracker, trackable=("Assignment", 1))
    assert (part.trackable_parent_type, part.trackable_parent_id) == ("Assignment", "1")
    assert (itself.trackable_parent_type, itself.trackable_parent_id) == (None, None)


def test_a_block_left_by_an_exception_is_left(tracker: CostTracker) -> None:
    with pytest.raises(RuntimeError), attribution(user="u1"):
        raise RuntimeError
    with pytest.raises(ArgumentError, match="user is missing"):
        record(tracker, trackable=("A", 1), request_type="generate_rubric")


def test_threads_do_not_see_each_other(tracker: CostTracker) -> None:
    found: dict[str, set[str]] = {}
    barrier = threading.Barrier(4)

    def work(user: str) -> None:
        with attribution(user=user, trackable=("A", 1), request_type="generate_rubric"):
            barrier.wait()
            found[user] = {record(tracker).user_id for _ in range(25)}

    threads = [threading.Thread(target=work, args=(f"u{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {f"u{number}": {f"u{number}"} for number in range(4)}


def test_tasks_do_not_see_each_other_but_see_what_was_said_before_them(tracker: CostTracker) -> None:
    async def work(user: str) -> list[tuple[str, str]]:
        rows = []
        with attribution(user=user):
            for _ in range(5):
                await asyncio.sleep(0)
                rows.append(record(tracker))
                rows.append(await asyncio.to_thread(record, tracker))
        return [(row.user_id, row.trackable_id) for row in rows]

    async def main() -> list[list[tuple[str, str]]]:
        with attribution(trackable=("A", 9), request_type="generate_rubric"):
            return await asyncio.gather(*(work(f"u{number}") for number in range(10)))

    for number, rows in enumerate(asyncio.run(main())):
        assert rows == [(f"u{number}", "9")] * 10


def test_a_fresh_context_knows_nothing(tracker: CostTracker) -> None:
    with attribution(**EVERYTHING), pytest.raises(ArgumentError, match="is missing"):
        contextvars.Context().run(record, tracker)
