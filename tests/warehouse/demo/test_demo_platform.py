"""The demo's month: what is played, and that playing it records exactly that."""

import json
import multiprocessing
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices import Usage, calc_price, extract_usage

from tracking import ArgumentError, CostTracker, LedgerError, LLMResponse
from warehouse.demo import DEFAULT_CALLS, DemoError, play
from warehouse.demo.calls import Call, session_calls
from warehouse.demo.platform import School, build_school
from warehouse.demo.play import record_sessions
from warehouse.demo.providers import DEEPSEEK, MODELS, OWN_GRADER

COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens")
ID_FIELDS = ("id", "responseId")


def month(school: School) -> list[Call]:
    return [call for session in school.sessions for call in session_calls(school, session)]


def flavor_of(call: Call) -> str:
    """Which of a provider's interfaces the body came from, as the catalogue names them."""
    assert call.body is not None
    if call.body.get("object") == "response":
        return "responses"
    return "chat" if call.model.provider in {"openai", "deepseek"} else "default"


def extracted(call: Call) -> Any:
    return extract_usage(call.body, provider_id=call.model.provider, api_flavor=flavor_of(call)).usage


def journal_rows(home: Path) -> list[dict[str, Any]]:
    lines = (line for path in (home / "journal").iterdir() for line in path.read_text().splitlines())
    return [json.loads(line.partition(" ")[2]) for line in lines]


@pytest.fixture(scope="module")
def school() -> School:
    return build_school(calls=6_000)


@pytest.fixture(scope="module")
def calls(school: School) -> list[Call]:
    return month(school)


@pytest.fixture(scope="module")
def answered(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.body is not None]


def test_the_same_seed_plays_the_same_month() -> None:
    assert month(build_school(400, seed=7)) == month(build_school(400, seed=7))


def test_another_seed_plays_another_month() -> None:
    assert month(build_school(400, seed=7)) != month(build_school(400, seed=8))


def test_the_default_month_is_large_unique_and_in_september_2026() -> None:
    school = build_school()
    ids: Counter[str] = Counter()
    days: set[date] = set()
    count = 0
    for session in school.sessions:
        for call in session_calls(school, session):
            count += 1
            assert call.occurred_at.tzinfo is UTC
            days.add(call.occurred_at.date())
            body = call.body or {}
            ids.update([call.idempotency_key or next(body[field] for field in ID_FIELDS if field in body)])
    assert 50_000 <= count == DEFAULT_CALLS <= 56_000
    assert len(ids) == count
    assert days == {date(2026, 9, day) for day in range(1, 31)}


@pytest.mark.parametrize("wanted", [1, 2, 27, 400, 1_003])
def test_exactly_the_calls_asked_for_are_played(wanted: int) -> None:
    assert len(month(build_school(wanted))) == wanted


@pytest.mark.parametrize("wanted", [0, -1])
def test_a_month_without_calls_is_refused(wanted: int) -> None:
    with pytest.raises(ArgumentError, match=rf"calls \({wanted}\)"):
        build_school(wanted)


def test_weekdays_are_far_busier_than_weekends(calls: list[Call]) -> None:
    per_day = Counter(call.occurred_at.date() for call in calls)
    weekend = [count for day, count in per_day.items() if day.weekday() >= 5]
    weekdays = [count for day, count in per_day.items() if day.weekday() < 5]
    assert sum(weekdays) / 22 > 4 * sum(weekend) / 8


def test_grading_follows_the_deadline_and_rubrics_precede_it(school: School) -> None:
    for session in school.sessions:
        day, due = session.starts_at.date(), session.assignment.due
        assert day <= due if session.work == "rubric" else day >= due - timedelta(days=1)
    delays = [(run.starts_at.date() - run.assignment.due).days for run in school.sessions if run.work == "grading"]
    assert sum(delay <= 3 for delay in delays) > 0.7 * len(delays)


def test_a_few_teachers_do_most_of_the_work(calls: list[Call]) -> None:
    per_teacher = Counter(call.session.assignment.teacher.id for call in calls)
    busiest = sum(count for _, count in per_teacher.most_common(10))
    assert len(per_teacher) > 30
    assert busiest > 0.4 * len(calls)


def test_even_a_small_month_knows_every_provider() -> None:
    assert {call.model for call in month(build_school(400))} == set(MODELS)


def test_the_catalogue_reads_the_same_usage_from_every_body(answered: list[Call]) -> None:
    for call in answered:
        if call.model is OWN_GRADER:
            continue
        ours = LLMResponse.from_provider(call.body, call.model.provider, call.model.name).usage
        theirs = extracted(call)
        for name in COUNTS:
            assert (getattr(ours, name) or 0) == (getattr(theirs, name, None) or 0), (call.model.name, name)


def test_every_answer_of_a_model_in_the_catalogue_is_priced(answered: list[Call]) -> None:
    priced: set[str] = set()
    for call in answered:
        if call.model is OWN_GRADER:
            continue
        provider, at = call.model.provider, call.occurred_at
        price = calc_price(extracted(call), call.model.name, provider_id=provider, genai_request_timestamp=at)
        assert price.total_price > 0
        priced.add(call.model.name)
    assert priced == {model.name for model in MODELS} - {OWN_GRADER.name}


def test_the_schools_own_model_is_in_no_catalogue(answered: list[Call]) -> None:
    share = sum(call.model is OWN_GRADER for call in answered) / len(answered)
    assert 0 < share < 0.06
    with pytest.raises(LookupError):
        calc_price(Usage(input_tokens=1, output_tokens=1), OWN_GRADER.name, provider_id=OWN_GRADER.provider)


def test_parts_never_exceed_their_whole(answered: list[Call]) -> None:
    for call in answered:
        usage = LLMResponse.from_provider(call.body, call.model.provider, call.model.name).usage
        cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
        assert 0 <= cached < (usage.input_tokens or 0)
        assert 0 <= (usage.reasoning_tokens or 0) <= (usage.output_tokens or 0)


def test_a_run_fills_the_cache_once_and_then_reads_it(school: School) -> None:
    runs = [session for session in school.sessions if session.work == "grading" and session.model.writes_cache]
    assert runs
    for run in runs:
        bodies = [(call.model, call.body) for call in session_calls(school, run) if call.body]
        first, *later = (LLMResponse.from_provider(body, model.provider, model.name).usage for model, body in bodies)
        assert first.cache_write_tokens == run.assignment.material_tokens
        assert not first.cache_read_tokens
        assert all(usage.cache_read_tokens == first.cache_write_tokens for usage in later)


def test_submissions_of_one_assignment_share_a_long_prefix(school: School) -> None:
    run = next(session for session in school.sessions if session.work == "grading")
    prompts = sorted({call.prompt for call in session_calls(school, run)})
    first, last = prompts[0], prompts[-1]
    shared = next(place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    assert len(prompts) > 10
    assert shared > 500
    assert all(shared < len(prompt) <= 2_000 for prompt in prompts)


def test_an_appealed_submission_is_graded_on_the_same_text(calls: list[Call]) -> None:
    run_prompts = {call.prompt for call in calls if call.session.work == "grading"}
    appeals = [call.prompt for call in calls if call.session.work == "appeal"]
    assert appeals
    assert run_prompts.issuperset(appeals)


def test_one_price_changes_within_the_month_and_only_one() -> None:
    usage = Usage(input_tokens=10_000, cache_read_tokens=4_000, output_tokens=1_000)

    def prices(provider: str, model: str, day: datetime) -> list[Decimal]:
        hours = (day + timedelta(hours=hour) for hour in range(24))
        return [calc_price(usage, model, provider_id=provider, genai_request_timestamp=at).total_price for at in hours]

    changes: list[tuple[str, date]] = []
    for model in (model for model in MODELS if model is not OWN_GRADER):
        before = prices(model.provider, model.name, datetime(2026, 9, 1, tzinfo=UTC))
        for number in range(2, 31):
            day = datetime(2026, 9, number, tzinfo=UTC)
            after = prices(model.provider, model.name, day)
            if after != before:
                changes.append((model.name, day.date()))
            before = after
    assert changes == [(DEEPSEEK.name, date(2026, 9, 10))]


def test_the_changed_price_is_used_before_and_after(calls: list[Call]) -> None:
    days = [call.occurred_at.date() for call in calls if call.model is DEEPSEEK]
    assert min(days) < date(2026, 9, 10) <= max(days)


def test_failures_are_rare_and_some_streams_break_off(calls: list[Call]) -> None:
    statuses = Counter(call.status for call in calls)
    assert 0.003 < statuses["error"] / len(calls) < 0.03
    assert 0 < statuses["partial"] < 0.01 * len(calls)
    assert all((call.error_type is None) == (call.body is not None) for call in calls)


def test_a_retry_repeats_the_failed_attempt_before_it(school: School) -> None:
    retries = 0
    for session in school.sessions:
        previous: Call | None = None
        for call in session_calls(school, session):
            if call.attempt > 1:
                retries += 1
                assert previous is not None
                assert (previous.status, previous.attempt) == ("error", call.attempt - 1)
                assert (previous.prompt, previous.trackable) == (call.prompt, call.trackable)
            if previous is not None:
                assert call.occurred_at > previous.occurred_at
            previous = call
    assert retries


def test_a_recorded_retry_names_the_record_of_the_failed_attempt(school: School, tmp_path: Path) -> None:
    failing = [session for session in school.sessions if max(session.attempts) > 1][:5]
    with CostTracker(home=tmp_path, on_unknown_model="record") as tracker:
        records = {record.record_id: record for record in record_sessions(tracker, school, failing)}
    retries = [record for record in records.values() if record.retry_of]
    assert retries
    for retry in retries:
        failed = records[retry.retry_of or ""]
        assert (failed.status, failed.cost_usd, failed.token_count) == ("error", None, None)
        assert (failed.attempt or 0) + 1 == retry.attempt
        assert (failed.user_id, failed.trackable_id) == (retry.user_id, retry.trackable_id)


def test_processes_record_the_whole_month_and_playing_again_adds_no_record(tmp_path: Path) -> None:
    seen: list[int] = []
    assert play(tmp_path, calls=420, processes=2, progress=seen.append) == 420
    assert sum(seen) == 420
    rows = journal_rows(tmp_path)
    assert len(rows) == len({row["record_id"] for row in rows}) == 420
    assert len(list((tmp_path / "journal").iterdir())) == 2
    # As a platform does: a month that is played in a minute is no month of calls that came late.
    for row in rows:
        took = datetime.fromisoformat(row["recorded_at"]) - datetime.fromisoformat(row["occurred_at"])
        assert timedelta(0) <= took < timedelta(hours=1)
    unpriced = {row["model"] for row in rows if row["pricing_status"] == "unpriced" and row["status"] == "ok"}
    assert unpriced == {OWN_GRADER.name}
    assert play(tmp_path, calls=420, processes=3) == 420
    assert {row["record_id"] for row in journal_rows(tmp_path)} == {row["record_id"] for row in rows}


def test_a_failing_process_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_COST_DURABILITY", "sometimes")
    with pytest.raises(DemoError, match=r"process demo-\d failed: .*durability"):
        play(tmp_path, calls=20, processes=2)


def test_a_killed_process_is_one_clear_error_and_stops_the_others(tmp_path: Path) -> None:
    def kill_one(_: int) -> None:
        multiprocessing.active_children()[0].kill()

    with pytest.raises(DemoError, match=r"process demo-\d ended early with exit code -9"):
        play(tmp_path, calls=4_000, processes=2, progress=kill_one)
    assert not multiprocessing.active_children()


def test_an_unusable_home_is_refused_before_any_process_starts(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a directory")
    with pytest.raises(LedgerError, match="cannot be used"):
        play(tmp_path / "home", calls=20)


def test_nothing_is_played_with_less_than_one_call_or_process(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"calls \(0\)"):
        play(tmp_path / "home", calls=0)
    with pytest.raises(ArgumentError, match=r"processes \(0\)"):
        play(tmp_path / "home", processes=0)
    assert not (tmp_path / "home").exists()
