"""A ledger of everything that makes sums go wrong, written by the real record path, sealing and re-pricing."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tracking import CostTracker, LLMResponse
from tracking.home import Home
from warehouse.sealing.reprice import RowSelection, reprice
from warehouse.sealing.seal import seal

TODAY = date(2026, 11, 12)
FIRST = datetime(2026, 8, 24, tzinfo=UTC)
DAYS = 83
"""The last days lie behind TODAY: of wrong clocks."""

EDGES = [
    datetime(2026, 9, 1, tzinfo=UTC),  # a month begins in UTC
    datetime(2026, 8, 31, 10, tzinfo=UTC),  # and at Kiritimati
    datetime(2026, 10, 1, 2, 30, tzinfo=UTC),  # and at St John's
    datetime(2026, 11, 1, 4, 30, tzinfo=UTC),  # where the clock goes back: 02:00 is 01:00 again
    datetime(2026, 11, 1, 3, 30, tzinfo=UTC),
    datetime(2026, 9, 7, tzinfo=UTC),  # a Monday
]
TENANTS = (None, "north", "south", "Ünïcode & Söhne", "north ")
USERS = ("teacher-1", "teacher-2", "O'Brien", "名前", "a,b;c", "NULL", "teacher-1 ", "42", "-1", "Ωmega\t")
MODELS = {
    "openai": ("gpt-4o", "gpt-4o-mini", "gpt-4o-2024-08-06", "gpt-5-mini", "school-own-grader", "priced-later"),
    "anthropic": ("claude-sonnet-4-5", "claude-haiku-4-5"),
    "mistral": ("mistral-large-latest",),
}
REQUEST_TYPES = ("generate_rubric", "grade_student_work", "summarise_feedback")
TAGS = (None, {"subject": "history"}, {"subject": "art", "dotted.name": "x"}, {"subject": 'quo"te', "n": 3})

LEDGER = """format_version = 1
reporting_timezone = "{zone}"
request_types = ["summarise_feedback"]

[reports]
fiscal_year_first_month = 9
"""
PRICES = """
[[discount]]
provider = "anthropic"
percent = 12.5
to = 2026-10-15

[[discount]]
provider = "openai"
model = "gpt-4o-mini"
percent = 33.333333

[[discount]]
provider = "mistral"
percent = -10

[[fee]]
provider = "openai"
model = "gpt-4o-mini"
usd_per_request = "0.001"
"""
PRICED_LATER = """
[[price]]
provider = "openai"
model = "priced-later"
[price.rates]
input_mtok = "0.8123456789"
output_mtok = "2.4"
"""
NAMES = {
    "users.csv": 'user_id,name,tenant\nteacher-1,All\'s,\nteacher-1,Of the north,north\n"a,b;c",Comma,\nnobody,N,\n'
    "teacher-1,Everyone,\nnameless,,\n",
    "assignments.csv": "assignment_id,name,tenant\n1,First,\n1,First of the south,south\n2,Second,\n77,Never called,\n",
}
INVOICES = {
    "mistral.csv": "provider,from,to,amount,currency,model,quantity\n"
    "mistral,2026-09-01,2026-09-30,1.23,USD,mistral-large-latest,400000\n"
    "mistral,2026-09-01,2026-09-30,5.00,USD,never-called,1000\n",
    "openai.csv": "provider,from,to,amount,currency\nopenai,2026-09-01,2026-09-15,12.34,USD\n",
    "anthropic.csv": "provider,from,to,amount,currency,model\n"
    "anthropic,2026-10-01,2026-10-20,3.21,USD,claude-haiku-4-5\n",
}


def budgets() -> str:
    """An entry of every scope and period, some over their limit."""
    scopes = [
        ("all", ""),
        ("tenant", "north"),
        ("user", "O'Brien"),
        ("trackable", "Assignment/1"),
        ("trackable", "Course/9"),
        ("request_type", "grade_student_work"),
        ("model", "gpt-4o"),
        ("model", "school-own-grader"),
        ("tag", "subject=history"),
        ("tag", "dotted.name=x"),
    ]
    periods = ("day", "week", "month", "quarter", "year", "term")
    entries: list[str] = []
    for number, (scope, value) in enumerate(scopes):
        for period in periods if scope == "all" else (periods[number % 6], periods[(number + 3) % 6]):
            lines = [f'name = "{scope} {value} {period}"', f'scope = "{scope}"', f'period = "{period}"']
            lines += [f'value = "{value}"'] if value else []
            lines += ["from = 2026-09-07", "to = 2026-10-31"] if period == "term" else []
            lines += ['tenant = "north"'] if number % 3 == 2 else []
            entries.append(
                "\n".join(["[[budget]]", *lines, f'limit_usd = "{(number % 4 + 1) * 0.3:.2f}"', "warn = [50, 80]"])
            )
    return "\n\n".join(entries)


def make_ledger(home: Path, calls: int, seed: int) -> None:
    """Write a home of so many calls and more, sealed in several parts, re-priced in between."""
    chance = random.Random(seed)
    Home(home).open()
    choose_zone(home, "UTC")
    (home / "prices.toml").write_text(PRICES, encoding="utf-8")
    (home / "budgets.toml").write_text(budgets(), encoding="utf-8")
    for folder, files in (("dimensions", NAMES), ("invoices", INVOICES)):
        (home / folder).mkdir(exist_ok=True)
        for name, text in files.items():
            (home / folder / name).write_text(text, encoding="utf-8")
    streams: list[dict[str, Any]] = []
    for part in range(3):
        with CostTracker(home, on_unknown_model="record", on_error="log") as tracker:
            for number, call in enumerate(_calls(chance, calls // 3, part)):
                recorded = tracker.record(**call)
                if recorded is not None and number % 9 == 4:
                    tracker.record(**_again(chance, call, recorded.record_id, f"again-{part}-{number}"))
                if call.get("status") == "partial" and number % 3:
                    streams.append(call)
        seal(Home(home))
        with CostTracker(home, on_unknown_model="record", on_error="log") as tracker:
            for call in streams:
                tracker.record(**_completed(chance, call))
        streams = []
        if part == 1:
            (home / "prices.toml").write_text(PRICES + PRICED_LATER, encoding="utf-8")
            reprice(Home(home), RowSelection())
    (home / "prices.toml").write_text((PRICES + PRICED_LATER).replace("12.5", "20"), encoding="utf-8")
    reprice(Home(home), RowSelection(restate=True))
    seal(Home(home))


def choose_zone(home: Path, zone: str) -> None:
    """Have a home's reports in another zone from the next build on."""
    (home / "ledger.toml").write_text(LEDGER.format(zone=zone), encoding="utf-8")


def _calls(chance: random.Random, count: int, part: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        provider = chance.choices(tuple(MODELS), (6, 2, 1))[0]
        model, identity = chance.choice(MODELS[provider]), f"id-{part}-{number}"
        status = chance.choices((None, "partial", "error"), (20, 2, 1))[0]
        edge = chance.choice(EDGES) + timedelta(microseconds=chance.choice((-1, 0, 1)))
        ordinary = FIRST + timedelta(seconds=chance.random() ** 0.8 * DAYS * 86400)
        call: dict[str, Any] = {
            "llm_response": _answer(chance, provider, model, identity, _length(chance, number)),
            "user": None if number % 50 == 7 else chance.choice(USERS),
            "request_type": chance.choice(REQUEST_TYPES),
            "prompt": f"Grade this, {chance.randrange(40)}." * chance.choice((1, 3, 300)),
            "occurred_at": edge if number % 10 == 0 else ordinary,
            "tenant": chance.choice(TENANTS),
            "tags": chance.choice(TAGS),
            "status": None if status == "error" else status,
            "latency_ms": chance.choice((None, 0, 1, chance.randrange(60_000))),
            "ttft_ms": chance.choice((None, chance.randrange(900))),
            "attempt": chance.choice((None, 1, 2)),
        } | _things(chance)
        if status == "error":
            call["llm_response"] = LLMResponse.failed(
                provider=provider,
                model=chance.choice((model, None)),
                error_type=chance.choice(("Timeout", "RateLimit")),
            )
        yield call


def _length(chance: random.Random, number: int) -> int:
    """In tokens; some far longer than others, and beyond what the first of a model's rates is for."""
    return 3_000_000 if number % 97 == 0 else chance.randrange(40_000)


def _things(chance: random.Random) -> dict[str, Any]:
    """What a call is made for: alone, in trees of up to four levels, in a circle, moved from one course to another."""
    number = chance.randrange(4)
    return chance.choice(
        (
            {"trackable": ("Assignment", number)},
            {"trackable": ("Submission", chance.randrange(60)), "trackable_parent": ("Assignment", number)},
            {"trackable": ("Assignment", number), "trackable_parent": ("Course", chance.choice((9, 9, 9, 10)))},
            {"trackable": ("Course", 9), "trackable_parent": ("School", "s")},
            {"trackable": ("Rubric", chance.randrange(20)), "trackable_parent": ("Assignment", number)},
            {"trackable": ("Circle", number), "trackable_parent": ("Circle", (number + 1) % 4)},
            {"trackable": ("Assignment", "part"), "trackable_parent": ("Assignment", 2)},
            {"trackable": ("Note", "x/y")},
            {"trackable": ("Submission", chance.randrange(60))},
        )
    )


def _answer(chance: random.Random, provider: str, model: str, identity: str, tokens: int) -> LLMResponse:
    written, cached = chance.choice((0, 1, chance.randrange(3000))), chance.choice((0, tokens // 3))
    if provider == "anthropic":
        usage = {"input_tokens": tokens, "output_tokens": written, "cache_read_input_tokens": cached}
        usage["cache_creation_input_tokens"] = chance.choice((0, 700))
        return LLMResponse.from_provider({"id": identity, "model": model, "usage": usage}, provider=provider)
    usage = {"prompt_tokens": tokens, "completion_tokens": written, "total_tokens": tokens + written}
    details = {"prompt_tokens_details": {"cached_tokens": cached}} if provider == "openai" else {}
    answer = {"id": identity, "model": model, "usage": usage | details}
    if provider == "openai" and chance.random() < 0.1:
        answer["service_tier"] = "flex"
    return LLMResponse.from_provider(answer, provider=provider)


def _again(chance: random.Random, call: dict[str, Any], record_id: str, identity: str) -> dict[str, Any]:
    answer = call["llm_response"]
    again = _answer(chance, answer.provider, answer.model or "gpt-4o", identity, 500)
    later = call["occurred_at"] + timedelta(hours=chance.choice((0, 20)))
    return call | {"llm_response": again, "retry_of": record_id, "attempt": 2, "occurred_at": later, "status": None}


def _completed(chance: random.Random, call: dict[str, Any]) -> dict[str, Any]:
    """The rest of a stream that had broken off: more of everything, under the same id."""
    partial = call["llm_response"]
    written = (partial.usage.output_tokens or 0) + chance.randrange(1, 500)
    whole = replace(partial, usage=replace(partial.usage, output_tokens=written))
    return call | {"llm_response": whole, "status": None}
