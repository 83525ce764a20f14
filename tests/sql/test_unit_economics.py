"""What a graded submission and a rubric cost, against sums made by hand."""

from decimal import ROUND_DOWN, Decimal
from math import ceil
from typing import Any

import pytest
from ledgers import NOON, body, build_marts

from tracking import CostTracker, LLMResponse, LLMUsageRecord
from tracking.home import Home
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal

RELATIVE_ERROR = 2 ** (1 / 16) - 1
PLACES = Decimal("1e-12")
ASSIGNMENT = ("Assignment", 7)
HALF_PRICED = ("Assignment", 9)
STREAMED = ("Assignment", 11)


class Class:
    """One assignment's calls, as an application makes them."""

    def __init__(self, tracker: CostTracker) -> None:
        self.tracker = tracker
        self.records: list[LLMUsageRecord] = []

    def call(
        self,
        request_type: str,
        trackable: tuple[str, int],
        output_tokens: int | None,
        assignment: tuple[str, int] = ASSIGNMENT,
        model: str = "gpt-4o",
        response_id: str | None = None,
        **options: Any,
    ) -> str:
        answer = LLMResponse.failed(provider="openai", model=model, error_type="Timeout")
        if output_tokens is not None:
            fields = {} if response_id is None else {"id": response_id}
            answer = LLMResponse.from_provider(body(1003, output_tokens, model=model, **fields), provider="openai")
        record = self.tracker.record(
            llm_response=answer,
            user="teacher-1",
            trackable=trackable,
            trackable_parent=None if trackable[0] == "Assignment" else assignment,
            request_type=request_type,
            prompt=f"{trackable} {output_tokens}",
            occurred_at=NOON,
            **options,
        )
        self.records.append(record)
        return record.record_id


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, list[LLMUsageRecord]]:
    """Two rubrics, one of them in two drafts; three submissions that have names and two that have none; the rest."""
    home = Home(tmp_path_factory.mktemp("units") / "home")
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        made = Class(tracker)
        made.call("generate_rubric", ("Rubric", 1), 700)
        made.call("generate_rubric", ("Rubric", 1), 810)
        made.call("generate_rubric", ("Rubric", 2), 650)
        made.call("grade_student_work", ("Submission", 1), 101)
        made.call("grade_student_work", ("Submission", 1), 55)
        failed = made.call("grade_student_work", ("Submission", 2), None, attempt=1)
        made.call("grade_student_work", ("Submission", 2), 130, attempt=2, retry_of=failed)
        made.call("grade_student_work", ("Submission", 3), 12, status="partial")
        made.call("grade_student_work", ("Submission", 4), None)
        made.call("grade_student_work", ASSIGNMENT, 140)
        made.call("grade_student_work", ASSIGNMENT, 99)
        alone = Class(tracker)
        alone.call("grade_student_work", ("Assignment", 8), None)
        half_priced = Class(tracker)
        half_priced.call("generate_rubric", ("Rubric", 9), 100, HALF_PRICED)
        for submission, model in enumerate(("gpt-4o", "gpt-4o", "school-own-grader", "school-own-grader"), start=91):
            half_priced.call("grade_student_work", ("Submission", submission), submission, HALF_PRICED, model)
        half_priced.call("grade_student_work", HALF_PRICED, 95, model="school-own-grader")
        half_priced.call("generate_rubric", ("Rubric", 10), 100, HALF_PRICED, "school-own-grader")
        streams = Class(tracker)
        for number in (1, 2, 3):
            streams.call("grade_student_work", STREAMED, 10, response_id=f"stream-{number}", status="partial")
        tracker.record(
            llm_response=LLMResponse.from_provider(body(11, 5), provider="openai"),
            user="teacher-1",
            trackable=("Course", 1),
            request_type="generate_rubric",
            prompt="p",
            occurred_at=NOON,
        )
    seal(home)
    with CostTracker(home.root) as tracker:
        streams = Class(tracker)
        streams.call("grade_student_work", STREAMED, 40, response_id="stream-1")
        streams.call("grade_student_work", STREAMED, 20, response_id="stream-2", status="partial")
    build_marts(home, "assignment_unit_economics")
    return home, made.records + half_priced.records


def economics(home: Home, where: str) -> dict[str, Any]:
    with open_warehouse(home) as warehouse:
        result = warehouse.execute(f"select * from assignment_unit_economics where {where}")
        names = [column[0] for column in result.description or ()]
        (row,) = result.fetchall()
    return dict(zip(names, row, strict=True))


def spent(records: list[LLMUsageRecord], request_type: str) -> Decimal:
    return sum((record.cost_usd or Decimal(0) for record in records if record.request_type == request_type), Decimal(0))


def test_an_assignment_costs_what_its_submissions_and_rubrics_do(school: tuple[Home, list[LLMUsageRecord]]) -> None:
    home, records = school
    records = [record for record in records if "7" in (record.trackable_id, record.trackable_parent_id)]
    found = economics(home, "assignment_id = '7'")
    rubrics, gradings = spent(records, "generate_rubric"), spent(records, "grade_student_work")
    assert (found["graded_submissions"], found["rubrics"]) == (5, 2)
    assert (found["priced_submissions"], found["priced_rubrics"]) == (5, 2)
    assert (found["grading_requests"], found["rubric_requests"]) == (8, 3)
    assert (found["rubric_cost_usd"], found["grading_cost_usd"]) == (rubrics, gradings)
    assert found["other_cost_usd"] is None
    assert found["usd_per_rubric"] == (rubrics / 2).quantize(PLACES, ROUND_DOWN)
    assert found["rubric_usd_per_submission"] == (rubrics / 5).quantize(PLACES, ROUND_DOWN)
    assert found["grading_usd_per_submission"] == (gradings / 5).quantize(PLACES, ROUND_DOWN)
    assert found["usd_per_submission"] == ((rubrics + gradings) / 5).quantize(PLACES, ROUND_DOWN)
    shares = [found[f"share_{outcome}"] for outcome in ("retried", "failed", "partial")]
    assert shares == pytest.approx([1 / 11, 2 / 11, 1 / 11])


def test_quantiles_and_the_next_submission_are_estimated_within_half_a_bucket(
    school: tuple[Home, list[LLMUsageRecord]],
) -> None:
    home, records = school
    records = [record for record in records if "7" in (record.trackable_id, record.trackable_parent_id)]
    found = economics(home, "assignment_id = '7'")
    costs = sorted(record.cost_usd for record in records if record.cost_usd is not None)
    graded = sorted(
        record.cost_usd
        for record in records
        if record.cost_usd is not None and record.request_type == "grade_student_work" and record.status == "ok"
    )
    expected = {
        "request_usd_p50": float(costs[ceil(0.5 * len(costs)) - 1]),
        "request_usd_p95": float(costs[ceil(0.95 * len(costs)) - 1]),
        "marginal_submission_usd": float(graded[ceil(0.5 * len(graded)) - 1]) * 8 / 5,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=RELATIVE_ERROR + 1e-9), name


def test_what_has_no_price_makes_no_submission_cheaper(school: tuple[Home, list[LLMUsageRecord]]) -> None:
    home, records = school
    found = economics(home, "assignment_id = '9'")
    records = [record for record in records if "9" in (record.trackable_id, record.trackable_parent_id)]
    rubric, gradings = spent(records, "generate_rubric"), spent(records, "grade_student_work")
    counts = ("graded_submissions", "priced_submissions", "rubrics", "priced_rubrics", "unpriced_requests")
    assert [found[name] for name in counts] == [5, 2, 2, 1, 4]
    assert found["grading_usd_per_submission"] == (gradings / 2).quantize(PLACES, ROUND_DOWN)
    assert found["usd_per_rubric"] == rubric
    assert found["rubric_usd_per_submission"] == (rubric / 5).quantize(PLACES, ROUND_DOWN)
    assert found["usd_per_submission"] == ((gradings * 5 / 2 + rubric) / 5).quantize(PLACES, ROUND_DOWN)


def test_a_stream_that_was_completed_later_did_not_break_off(school: tuple[Home, list[LLMUsageRecord]]) -> None:
    found = economics(school[0], "assignment_id = '11'")
    assert (found["requests"], found["output_tokens"]) == (3, 40 + 20 + 10)
    assert found["share_partial"] == pytest.approx(2 / 3), "completed, longer and still broken off, broken off"


def test_nothing_graded_has_no_cost_per_submission(school: tuple[Home, list[LLMUsageRecord]]) -> None:
    found = economics(school[0], "assignment_id = '8'")
    assert (found["requests"], found["graded_submissions"], found["rubrics"]) == (1, 0, 0)
    ratios = ("cost_usd", "usd_per_submission", "usd_per_rubric", "marginal_submission_usd", "request_usd_p50")
    assert [found[name] for name in ratios] == [None] * 5


def test_what_belongs_to_no_assignment_is_one_remainder(school: tuple[Home, list[LLMUsageRecord]]) -> None:
    found = economics(school[0], "assignment_id is null")
    assert (found["requests"], found["graded_submissions"], found["token_count"]) == (1, 0, 16)


def test_the_books_say_which_calls_grade_and_what_they_grade(school: tuple[Home, list[LLMUsageRecord]]) -> None:
    home, records = school
    said = 'grading_request_types = ["generate_rubric"]\nsubmission_types = ["Rubric"]\nrubric_request_types = []'
    home.ledger_toml.write_text(home.ledger_toml.read_text().replace("[reports]", f"[reports]\n{said}"))
    build_marts(home, "assignment_unit_economics")
    found = economics(home, "assignment_id = '7'")
    records = [record for record in records if "7" in (record.trackable_id, record.trackable_parent_id)]
    assert (found["graded_submissions"], found["grading_requests"]) == (2, 3)
    assert found["grading_cost_usd"] == spent(records, "generate_rubric")
    assert found["other_cost_usd"] == spent(records, "grade_student_work")
    assert (found["rubrics"], found["rubric_cost_usd"]) == (0, None)
