"""What a submission and a rubric cost, by docs/optimisation.md, "Submissions and rubrics"."""

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.audit.compare import Recomputed
from tests.audit.costs import named, names
from tests.audit.movers import part
from tests.audit.rows import Books, Row, grouped, measures, share, total
from tests.audit.trees import Trees

KINDS = {"grade_student_work": "grading", "generate_rubric": "rubric"}
UNITS = {("grading", "Submission"), ("rubric", "Rubric")}


def recomputed(books: Books) -> Iterable[Recomputed]:
    trees = Trees(books.rows)
    assignments = names(books.home / "dimensions/assignments.csv")

    def assignment(row: Row) -> tuple[str | None, str | None]:
        found = trees.assignment(row)
        return found, None if found is None else row["tenant"]

    rows = [
        {"assignment_id": key[0], "tenant": key[1], "assignment_name": named(assignments, *key)}
        | measures(group)
        | _economics(books, key[0], group)
        for key, group in grouped(books.rows, assignment).items()
    ]
    yield Recomputed("assignment_unit_economics", ("assignment_id", "tenant"), rows)


def _economics(books: Books, assignment: str | None, rows: list[Row]) -> Row:
    kinds = grouped(rows, lambda row: KINDS.get(row["request_type"], "other"))
    cost = {kind: total(row["cost_usd"] for row in kinds.get(kind, [])) for kind in ("grading", "rubric", "other")}
    calls = [row for row in rows if row["requests"]]
    graded, priced_graded = _things("grading", kinds) if assignment is not None else (0, 0)
    rubrics, priced_rubrics = _things("rubric", kinds) if assignment is not None else (0, 0)
    grading_requests = sum(row["requests"] for row in kinds.get("grading", []))
    each = scaled(cost["grading"], graded, priced_graded)
    together = None if each is None else (cost["rubric"] or Decimal(0)) + (cost["other"] or Decimal(0)) + each
    costs = {call["record_id"]: _standing_cost(books, call) for call in calls}
    answered = [call for call in calls if call["standing"]["status"] == "ok"]
    middle = _quantile(
        [costs[call["record_id"]] for call in answered if KINDS.get(call["request_type"]) == "grading"], 50
    )
    per_submission = share(grading_requests, graded)
    return {
        "graded_submissions": graded,
        "priced_submissions": priced_graded,
        "rubrics": rubrics,
        "priced_rubrics": priced_rubrics,
        "grading_requests": grading_requests,
        "rubric_requests": sum(row["requests"] for row in kinds.get("rubric", [])),
        "grading_cost_usd": cost["grading"],
        "rubric_cost_usd": cost["rubric"],
        "other_cost_usd": cost["other"],
        "grading_usd_per_submission": scaled(cost["grading"], 1, priced_graded),
        "rubric_usd_per_submission": scaled(cost["rubric"], 1, graded),
        "usd_per_submission": scaled(together, 1, graded),
        "usd_per_rubric": scaled(cost["rubric"], 1, priced_rubrics),
        "marginal_submission_usd": None if middle is None or per_submission is None else middle * per_submission,
        "request_usd_p50": _quantile(costs.values(), 50),
        "request_usd_p95": _quantile(costs.values(), 95),
        "share_retried": share(sum(call["is_retry"] for call in calls), len(calls)),
        "share_failed": share(sum(call["failed_requests"] for call in calls), len(calls)),
        "share_partial": share(sum(call["standing"]["status"] == "partial" for call in calls), len(calls)),
    }


def _things(kind: str, kinds: dict[str, list[Row]]) -> tuple[int, int]:
    """How many were graded or written, and how many of these with a known cost."""
    all_units = priced_units = 0
    for thing, rows in grouped(kinds.get(kind, []), lambda row: row["thing"]).items():
        answered = sum(row["requests"] - row["failed_requests"] for row in rows)
        priced = sum(row["requests"] - row["unpriced_requests"] for row in rows if row["status"] != "error")
        if answered > 0:
            counts_once = (kind, thing[0]) in UNITS
            all_units += 1 if counts_once else answered
            priced_units += min(priced, 1) if counts_once else priced
    return all_units, priced_units


def scaled(amount: Decimal | None, numerator: int, denominator: int) -> Decimal | None:
    return None if amount is None or not denominator else part(amount, numerator, denominator)


def _standing_cost(books: Books, call: Row) -> Decimal | None:
    return total([call["cost_usd"], *(row["cost_usd"] for row in books.corrections.get(call["record_id"], []))])


def _quantile(costs: Iterable[Decimal | None], percent: int) -> float | None:
    """By nearest rank, shown as the middle of its eighth of a doubling, in millionths of a millionth of a USD."""
    known = sorted(cost for cost in costs if cost is not None)
    if not known:
        return None
    value: Any = int(known[max(math.ceil(Fraction(percent, 100) * len(known)), 1) - 1].scaleb(12))
    return 0.0 if value == 0 else 2 ** ((math.floor(8 * math.log2(value)) + 0.5) / 8) / 1e12
