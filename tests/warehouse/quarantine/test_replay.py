"""Refused calls come into the books once, at their own time, and leave nothing behind."""

import json
import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from ledgers import body, journals, record, write_journal
from refusals import FIRST, answer, arguments, one_recorded_and_others_refused

import warehouse.quarantine.replay
from tracking import ArgumentError, CostCalculator, CostTracker, LLMResponse
from tracking.home import Home
from tracking.journal.quarantine import Quarantine, taking_apart
from tracking.journal.writer import record_line
from warehouse.importing.calls import Defaults
from warehouse.importing.import_files import import_files
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.segments import scan
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.quarantine.refused_calls import RefusalKind, State
from warehouse.quarantine.replay import Missing, discard, replay
from warehouse.quarantine.selection import CallSelection
from warehouse.quarantine.standing import standing_refusals
from warehouse.sealing.seal import seal

USER = Missing(user="teacher-2")
EVERY = CallSelection()


def rows(home: Path) -> list[dict[str, object]]:
    seal(Home(home))
    with Manifest(Home(home)) as manifest:
        files = [Home(home).usage / each.file for each in manifest.segments() if each.row_count]
    return scan(files).sort("occurred_at", "record_id").collect().to_dicts()


def states(home: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for call in standing_refusals(Home(home)):
        found[call.state] = found.get(call.state, 0) + 1
    return found


def cost(number: int) -> Decimal:
    answered = LLMResponse.from_provider(answer(number), provider="openai")
    usd = CostCalculator().cost(answered, at=FIRST + timedelta(minutes=number)).cost_usd
    assert usd
    return usd


def test_every_kept_call_says_whose_it_was_when_and_what_it_cost(home: Path) -> None:
    one_recorded_and_others_refused(home, 3)
    calls = standing_refusals(Home(home))
    assert [(call.kind, call.state, call.provider, call.model) for call in calls] == [
        (RefusalKind.CALL, State.WAITING, "openai", "gpt-4o")
    ] * 3
    assert [call.estimated_usd for call in calls] == [cost(number) for number in (1, 2, 3)]
    assert [call.occurred_at for call in calls] == [FIRST + timedelta(minutes=number) for number in (1, 2, 3)]
    names = ("user", "trackable", "request_type", "tenant", "tags", "trace_id")
    assert [calls[0].entry[name] for name in names] == [
        None,
        "Assignment:1",
        "grade_student_work",
        "north",
        {"course": "x"},
        "trace-1",
    ]
    assert calls[0].reason == "user is missing or blank"
    (file,) = (home / "quarantine").iterdir()
    assert b"secret words" not in file.read_bytes()


def test_all_of_them_come_back_at_their_own_times_and_a_second_replay_brings_none(home: Path) -> None:
    one_recorded_and_others_refused(home)
    report = replay(Home(home), EVERY, USER)
    assert (report.replayed, report.failures) == (99, [])
    found = rows(home)
    assert [row["occurred_at"] for row in found] == [FIRST + timedelta(minutes=number) for number in range(100)]
    assert [row["cost_usd"] for row in found] == [cost(number) for number in range(100)]
    assert [row["user_id"] for row in found] == ["teacher-1"] + ["teacher-2"] * 99
    assert {row["pricing_status"] for row in found} == {"priced"}
    assert [file.name for file in (home / "quarantine").iterdir()] == ["settled.jsonl"]
    again = replay(Home(home), EVERY, USER)
    assert (again.replayed, again.known, again.failures) == (0, 0, [])
    assert len(rows(home)) == 100 and states(home) == {"replayed": 99}


class Crash(Exception):
    pass


@pytest.mark.parametrize("step", ["_record", "note", "take_out", "forget_quarantined"])
@pytest.mark.parametrize("seed", range(3))
def test_a_replay_that_dies_at_any_point_counts_every_call_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, step: str, seed: int
) -> None:
    """Calls without an id too; what a crash left is taken out by the next replay."""
    one_recorded_and_others_refused(home, 5)
    with CostTracker(home, on_error="log") as tracker:
        for number in range(3):
            tracker.record(**arguments(number, llm_response=body(7 + number, 1)))
    dies = random.Random(seed).randrange(1, 8) if step == "_record" else 0
    where = Manifest if step == "forget_quarantined" else warehouse.quarantine.replay
    done, calls = getattr(where, step), iter(range(100))

    def dying(*arguments: object, **named: object) -> object:
        if next(calls) >= dies:
            raise Crash
        return done(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(where, step, dying)
        with pytest.raises(Crash):
            replay(Home(home), EVERY, USER)
    if seed == 1:
        seal(Home(home))
    report = replay(Home(home), EVERY, USER)
    assert report.failures == []
    assert len(rows(home)) == 9
    assert states(home).keys() <= {"replayed", "recorded"} and sum(states(home).values()) == 8
    assert [file.name for file in (home / "quarantine").iterdir()] == ["settled.jsonl"]


def test_what_the_application_recorded_itself_counts_once_and_is_refused_no_longer(home: Path) -> None:
    one_recorded_and_others_refused(home, 3)
    with CostTracker(home, on_error="log") as tracker:
        tracker.record(**arguments(2, user="teacher-9"))
        tracker.record(**arguments(3))
    seal(Home(home))
    assert states(home) == {"waiting": 2, "recorded": 1, "repeated": 1}
    report = replay(Home(home), EVERY, USER)
    assert (report.replayed, report.known, report.failures) == (2, 2, [])
    assert [row["user_id"] for row in rows(home)] == ["teacher-1", "teacher-2", "teacher-9", "teacher-2"]
    assert states(home) == {"replayed": 2, "recorded": 1, "repeated": 1}


def test_it_may_be_recorded_between_the_listing_and_the_replay(home: Path) -> None:
    one_recorded_and_others_refused(home, 1)
    with CostTracker(home) as tracker:
        tracker.record(**arguments(1, user="teacher-9"))
    replay(Home(home), EVERY, USER)
    assert [row["occurred_at"] for row in rows(home)] == [FIRST, FIRST + timedelta(minutes=1)]
    assert states(home) == {"replayed": 1}


def test_what_a_call_says_goes_first_unless_it_was_refused_for_that(home: Path) -> None:
    with CostTracker(home, on_error="log") as tracker:
        tracker.record(**arguments(1, user="teacher-1", request_type="frobnicate"))
        tracker.record(**arguments(2, user="teacher-1", trackable=None))
        tracker.record(**arguments(3, user="teacher-1", occurred_at=FIRST.replace(tzinfo=None)))
    missing = Missing(user="teacher-2", trackable="Course:9", request_type="generate_rubric")
    report = replay(Home(home), EVERY, missing)
    assert [(call.error, why) for call, why in report.failures] == [
        ("ArgumentError", "occurred_at (2026-11-02T10:00:00) has no time zone: give one")
    ]
    replay(Home(home), EVERY, replace(missing, timezone=FIRST.tzinfo))
    columns = ("user_id", "trackable_type", "request_type", "occurred_at")
    assert sorted(tuple(row[name] for name in columns) for row in rows(home)) == [
        ("teacher-1", "Assignment", "generate_rubric", FIRST + timedelta(minutes=1)),
        ("teacher-1", "Assignment", "grade_student_work", FIRST),
        ("teacher-1", "Course", "grade_student_work", FIRST + timedelta(minutes=2)),
    ]


def test_what_cannot_be_recorded_stays_with_its_reason(home: Path) -> None:
    with CostTracker(home, on_error="log") as tracker:
        tracker.record(**arguments(1))
        tracker.record(**arguments(2, llm_response={"model": "gpt-4o"}))
    report = replay(Home(home), EVERY, Missing())
    assert report.failures[0][1] == "user is missing or blank"
    assert "usage" in report.failures[1][1]
    assert states(home) == {"waiting": 2}
    with pytest.raises(ArgumentError, match="trackable"):
        replay(Home(home), EVERY, Missing(trackable="nothing"))
    assert rows(home) == []


def test_an_unknown_model_is_recorded_unpriced_or_by_the_price_it_has_by_then(home: Path) -> None:
    with CostTracker(home, on_error="log") as tracker:
        for number in (1, 2):
            given = body(1000, 100, id=f"own-{number}", model=f"own-{number}")
            tracker.record(**arguments(number, user="teacher-1", llm_response=given))
    assert [call.estimated_usd for call in standing_refusals(Home(home))] == [None, None]
    own = '[[price]]\nprovider = "openai"\nmodel = "own-1"\n[price.rates]\ninput_mtok = 1\noutput_mtok = 2\n'
    (home / "prices.toml").write_text(own)
    replay(Home(home), EVERY, Missing())
    assert [(row["model"], row["cost_usd"], row["pricing_status"]) for row in rows(home)] == [
        ("own-1", Decimal("0.0012"), "priced"),
        ("own-2", None, "unpriced"),
    ]


def test_refused_lines_of_an_import_come_back_and_a_later_import_of_them_adds_nothing(
    home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    said = {"provider": "openai", "trackable": "Assignment:1", "request_type": "generate_rubric"}
    lines = [json.dumps(said | {"response": body(100 + number, 7)}) for number in range(4)]
    file.write_text("\n".join([*lines, lines[0]]) + "\n")
    assert len(import_files(Home(home), [file], Defaults()).refusals) == 5
    calls = standing_refusals(Home(home))
    assert {call.kind for call in calls} == {RefusalKind.IMPORT} and all(call.estimated_usd for call in calls)
    assert replay(Home(home), EVERY, USER).replayed == 5
    assert len(rows(home)) == 5
    import_files(Home(home), [file], Defaults(user="teacher-2"))
    assert len(rows(home)) == 5
    assert states(home) == {"replayed": 5}


def test_damaged_lines_of_a_journal_come_back_as_the_rows_they_were(home: Path) -> None:
    with CostTracker(home) as tracker:
        whole = record(tracker, body(100, 10, id="a"), at=FIRST)
        torn = record(tracker, body(200, 20, id="b"), at=FIRST)
    for file in journals(home):
        file.unlink()
    line = record_line(whole, "the secret words")
    write_journal(home, b"0" * 8 + line[8:], record_line(torn, None)[:-25])
    seal(Home(home))
    first, second = standing_refusals(Home(home))
    assert (first.kind, first.was_acknowledged, second.was_acknowledged) == (RefusalKind.JOURNAL, True, False)
    assert (first.estimated_usd, second.estimated_usd) == (whole.cost_usd, torn.cost_usd)
    assert first.entry["user"] == whole.user_id
    report = replay(Home(home), EVERY, Missing())
    assert (report.replayed, report.failures) == (2, [])
    ours = {row["record_id"]: row for row in rows(home)}
    assert ours[whole.record_id]["cost_usd"] == whole.cost_usd
    assert ours[torn.record_id]["occurred_at"] == FIRST
    with Manifest(Home(home)) as manifest:
        assert manifest.quarantined() == []


def test_discarding_leaves_a_note_of_what_it_cost_and_nothing_else(home: Path) -> None:
    one_recorded_and_others_refused(home, 4)
    first, *_ = standing_refusals(Home(home))
    assert discard(Home(home), CallSelection(ids=(first.id,)), why="a test").discarded == 1
    assert states(home) == {"discarded": 1, "waiting": 3}
    (noted,) = [call for call in standing_refusals(Home(home)) if call.state is State.DISCARDED]
    for name in ("estimated_usd", "occurred_at", "refused_at", "reason", "kind"):
        assert getattr(noted, name) == getattr(first, name)
    assert noted.settlement and (noted.settlement.why, bool(noted.settlement.by)) == ("a test", True)
    assert "trace-1" not in (home / "quarantine" / "settled.jsonl").read_text()
    with pytest.raises(ArgumentError, match="is the id of no refused call"):
        discard(Home(home), CallSelection(ids=("nothing",)))


def test_selections_are_by_what_is_known_of_a_call(home: Path) -> None:
    one_recorded_and_others_refused(home, 3)
    with CostTracker(home, on_error="log") as tracker:
        tracker.record(**arguments(4, user="teacher-1", trackable=None, tenant="south"))
    calls = standing_refusals(Home(home))
    day = FIRST.date()
    assert len(CallSelection(reason="USER is").of(calls)) == 3
    assert len(CallSelection(tenant="south").of(calls)) == len(CallSelection(user="teacher-1").of(calls)) == 1
    assert len(CallSelection(first=day, last=day, provider="openai", kind=RefusalKind.CALL).of(calls)) == 4
    assert CallSelection(last=day - timedelta(days=1)).of(calls) == CallSelection(model="o3").of(calls) == []


def test_a_writer_whose_file_is_taken_apart_goes_on_in_another(home: Path) -> None:
    one_recorded_and_others_refused(home, 1)
    quarantine = Quarantine(home / "quarantine")
    (own,) = {quarantine.keep(ArgumentError("user", "is missing"), None, {}) for _ in range(2)}
    with taking_apart(own):
        other = quarantine.keep(ArgumentError("user", "is missing"), None, {})
    assert other != own and len(own.read_bytes().splitlines()) == 2
    other.unlink()
    assert quarantine.keep(ArgumentError("user", "is missing"), None, {}).exists()


def test_who_was_erased_is_in_no_kept_call_and_it_can_still_be_recorded(home: Path) -> None:
    with CostTracker(home, on_error="log") as tracker:
        tracker.record(**arguments(1, user="teacher-1", trackable=None))
    assert erase(Home(home), Person("teacher-1")).proven
    assert "teacher-1" not in next((home / "quarantine").iterdir()).read_text()
    assert replay(Home(home), EVERY, Missing(trackable="Course:9", user="nobody")).replayed == 1
    assert [(row["user_id"], row["cost_usd"]) for row in rows(home)] == [("nobody", cost(1))]
