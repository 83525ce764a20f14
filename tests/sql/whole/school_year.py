"""Half a year of a school: its budgets and discount, its calls, what was planted among them, and its invoice."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from ledgers import body

from tracking import CostTracker, LLMResponse, LLMUsageRecord

Records = list[LLMUsageRecord]
FIRST, LAST, STATUS_DATE = date(2026, 3, 2), date(2026, 8, 30), date(2026, 8, 12)
WEEKDAYS = (1.0, 1.1, 1.2, 1.1, 1.6, 0.15, 0.3)
BUDGETS = """
[[budget]]
name = "school"
scope = "all"
period = "month"
limit_usd = "48"
warn = [25, 50, 99]

[[budget]]
name = "north"
scope = "tenant"
value = "north"
period = "week"
limit_usd = 10.000000000001
to = 2026-06-30

[[budget]]
name = "north"
scope = "tenant"
value = "north"
period = "week"
limit_usd = 0
from = 2026-07-01

[[budget]]
name = "one teacher"
scope = "user"
value = "teacher-3"
tenant = "south"
period = "day"
limit_usd = 1

[[budget]]
name = "history"
scope = "tag"
value = "the.subject=it's history"
period = "term"
from = 2026-04-15
to = 2026-08-19
limit_usd = 1000

[[budget]]
name = "an assignment"
scope = "trackable"
value = "Assignment/104"
period = "month"
limit_usd = 1000

[[budget]]
name = "dear model"
scope = "model"
value = "gpt-4o"
period = "month"
limit_usd = 1000

[[budget]]
name = "rubrics"
scope = "request_type"
value = "generate_rubric"
period = "month"
limit_usd = 1000
"""
DISCOUNT = """
[[discount]]
provider = "openai"
model = "gpt-4o-mini"
percent = 20
"""
PLANTED = {
    ("teacher-1", date(2026, 7, 14)): "volume",
    ("teacher-2", date(2026, 7, 21)): "mix",
    ("teacher-3", date(2026, 7, 28)): "price",
}
MATCHES: dict[str, Callable[[LLMUsageRecord], bool]] = {
    "school": lambda made: True,
    "north": lambda made: made.tenant == "north",
    "one teacher": lambda made: made.user_id == "teacher-3" and made.tenant == "south",
    "history": lambda made: json.loads(made.tags or "{}").get("the.subject") == "it's history",
    "an assignment": lambda made: "104" in (made.trackable_id, made.trackable_parent_id),
    "dear model": lambda made: made.llm == "gpt-4o",
    "rubrics": lambda made: made.request_type == "generate_rubric",
}


def recorded(tracker: CostTracker, teacher: int, day: date, size: float, **fields: Any) -> LLMUsageRecord:
    status = fields.pop("status", "ok")
    planted = PLANTED.get((f"teacher-{teacher}", day))
    tokens = int(100_000 * size) * (10 if planted == "volume" else 1)
    output = tokens * 95 // 100 if planted == "price" else tokens // 20
    model = "gpt-4o-mini" if teacher % 4 == 2 and planted != "mix" else "gpt-4o"
    rubric = day.day == 1
    assignment = 100 + teacher
    return tracker.record(
        llm_response=LLMResponse.from_provider(body(tokens - output, output, model=model, **fields), provider="openai"),
        user=f"teacher-{teacher}",
        trackable=("Rubric", f"{assignment}-{day}") if rubric else ("Assignment", assignment),
        trackable_parent=("Assignment", assignment) if rubric else None,
        request_type="generate_rubric" if rubric else "grade_student_work",
        prompt="Grade.",
        occurred_at=datetime.combine(day, time(10, teacher), UTC),
        tenant="north" if teacher % 2 else "south",
        tags={"the.subject": "it's history"} if teacher == 5 else {"the.subject": "maths"} if teacher else None,
        status=status,
    )


def cost(records: Iterable[LLMUsageRecord]) -> Decimal:
    return sum((made.cost_usd or Decimal(0) for made in records), Decimal(0))


def write_invoice(file: Path, records: Records) -> None:
    """August up to the 20th: one model billed for 1,000,000 tokens more, one at a tenth more and to the cent, a charge
    the ledger does not know. September of another provider, which the ledger knows nothing of."""
    last = date(2026, 8, 20)
    mine = [made for made in records if date(2026, 8, 1) <= made.occurred_at.date() <= last]
    lines = ["provider,from,to,amount,currency,model,quantity"]
    for model, more_tokens, factor in (("gpt-4o", 1_000_000, Decimal(1)), ("gpt-4o-mini", 0, Decimal("1.1"))):
        billed = [made for made in mine if made.llm == model]
        tokens = sum(made.token_count or 0 for made in billed)
        amount = cost(billed) * factor * (tokens + more_tokens) / tokens
        lines.append(f"openai,2026-08-01,{last},{amount:.2f},USD,{model},{tokens + more_tokens}")
    lines.append(f"openai,2026-08-01,{last},3.10,USD,web search,")
    lines.append("mistral,2026-09-01,2026-09-30,7,USD,,")
    file.write_text("\n".join(lines) + "\n")
