"""What the warehouse's tests share: recording calls, and reading a ledger back without taking the manifest's word."""

import fcntl
import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tracking import CostTracker, LLMResponse, LLMUsageRecord
from tracking.home import Home
from tracking.journal.writer import JournalWriter, record_line
from warehouse.building.build import prepare
from warehouse.building.dbt import dbt_arguments, run_command
from warehouse.building.publish import publish
from warehouse.building.tested import noting_tests
from warehouse.cli import run
from warehouse.ledger.manifest import Segment
from warehouse.locks import building
from warehouse.sealing.seal import seal
from warehouse.sources.ledger import create_sources

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MEASURES = ("requests", "token_count", "cost_usd", "micro_usd", "unpriced_requests")


def body(input_tokens: int = 1000, output_tokens: int = 100, **fields: Any) -> dict[str, Any]:
    """An answer of OpenAI's chat completions, priced unless `model` says otherwise."""
    usage = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}
    return {"model": "gpt-4o", "usage": usage | {"total_tokens": input_tokens + output_tokens}} | fields


def record(
    tracker: CostTracker,
    answer: Mapping[str, Any] | LLMResponse | None = None,
    *,
    user: object = "teacher-1",
    assignment: object = 1,
    prompt: object = "Write a rubric.",
    at: datetime = NOON,
    **options: Any,
) -> LLMUsageRecord:
    if not isinstance(answer, LLMResponse):
        answer = LLMResponse.from_provider(body() if answer is None else answer, provider="openai")
    return tracker.record(
        llm_response=answer,
        user=user,
        trackable=("Assignment", assignment),
        request_type="generate_rubric",
        prompt=prompt,
        occurred_at=at,
        **options,
    )


def recorded_by_an_earlier_version(home: Path, user: str) -> LLMUsageRecord:
    """A call whose ids were not looked at when it was recorded."""
    with CostTracker(home.with_name("elsewhere")) as tracker:
        row = record(tracker, body(100)).model_copy(update={"user_id": user, "trackable_id": user})
    journal = JournalWriter(home / "journal", "process")
    journal.append(record_line(row, None))
    journal.close()
    return row


def record_month(tracker: CostTracker, calls: int = 60) -> list[LLMUsageRecord]:
    """Calls of several users over several days and hours, with rubrics, failures and an unpriced model."""
    records: list[LLMUsageRecord] = []
    for number in range(calls):
        model = "school-own-grader" if number % 11 == 3 else "gpt-4o-mini" if number % 2 else "gpt-4o"
        answer = LLMResponse.from_provider(body(17 * number + 3, 5 * number, model=model), provider="openai")
        if number % 13 == 5:
            answer = LLMResponse.failed(provider="openai", model="gpt-4o", error_type="Timeout")
        rubric = number % 5 == 0
        records.append(
            tracker.record(
                llm_response=answer,
                user=f"teacher-{number % 4}",
                trackable=("Rubric", number) if rubric else ("Assignment", number % 7),
                trackable_parent=("Assignment", number % 7) if rubric else None,
                request_type="generate_rubric" if rubric else "grade_student_work",
                prompt=f"Grade essay {number}.",
                occurred_at=NOON + timedelta(hours=7 * (number % 24)),
                tenant="school-a" if number % 3 else None,
            )
        )
    return records


def sums(records: Iterable[LLMUsageRecord]) -> tuple[int, int, Decimal, int, int]:
    """What records add up to, in the order of MEASURES."""
    records = list(records)
    return (
        len(records),
        sum(record.token_count or 0 for record in records),
        sum((record.cost_usd or Decimal(0) for record in records), Decimal(0)),
        sum(record.micro_usd or 0 for record in records),
        sum(record.pricing_status == "unpriced" and record.status != "error" for record in records),
    )


def build_marts(home: Home, *marts: str) -> None:
    """Build and publish some marts and what they are made from, with their tests: all marts take twice as long."""
    seal(home)
    with building(home):
        prepare(home)
        selection = ["--indirect-selection", "cautious", "--select", *(f"+{mart}" for mart in marts)]
        completed = run_command(home, [*dbt_arguments(home.settings()), *selection])
        assert completed.returncode == 0, completed.stdout[-3000:]
        publish_untested(home)


def visible(home: Path | Home) -> list[dict[str, Any]]:
    """Every row that a report would read, by `ledger.usage` itself."""
    home = home if isinstance(home, Home) else Home(home)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_sources(connection, home)
        result = connection.execute("select * from ledger.usage order by record_id")
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def assert_holds_exactly(home: Path | Home, records: Iterable[LLMUsageRecord]) -> None:
    """Each record is visible once, every column as it was recorded, and nothing else is."""
    expected = {record.record_id: record.model_dump() for record in records}
    rows = visible(home)
    assert sorted(row["record_id"] for row in rows) == sorted(expected)
    for row in rows:
        day = row.pop("usage_date")
        assert day == row["occurred_at"].astimezone(UTC).date()
        assert row == expected[row["record_id"]]


def journals(home: Path) -> list[Path]:
    return sorted((home / "journal").glob("*"))


def write_journal(home: Path, *lines: bytes, name: str = "elsewhere-1-feed.log") -> Path:
    """A journal as another process left it. `lines` are whole lines, or what is left of them."""
    path = Home(home).journal / name
    with path.open("ab") as file:
        file.writelines(lines)
    return path


@contextmanager
def living_writer(journal: Path) -> Iterator[None]:
    """Hold a journal as its writer does for as long as it lives."""
    descriptor = os.open(journal, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def say_dbt_ran(home: Home, statuses: Mapping[str, str], *, not_run: Iterable[str] = ()) -> None:
    """Have a home look as after a dbt run with these results, by unique id, of a project that has these nodes."""
    target = home.dbt / "target"
    target.mkdir(exist_ok=True)
    with noting_tests(home):
        nodes = {name: {"resource_type": name.split(".")[0]} for name in (*statuses, *not_run)}
        (target / "manifest.json").write_text(json.dumps({"nodes": nodes}))
        results = [{"unique_id": name, "status": status} for name, status in statuses.items()]
        (target / "run_results.json").write_text(json.dumps({"results": results}))


def publish_untested(home: Home) -> None:
    """Publish what is prepared as if a test had passed on it. Call it while holding the build lock."""
    say_dbt_ran(home, {"test.llm_costs.some": "pass"})
    publish(home)


def llm_cost(*arguments: object, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command line in this process, piped: one of its own imports for a second or two."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["llm-cost", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO())
        for name, value in ({"COLUMNS": "40"} | variables).items():
            patch.setenv(name, value)
        if cwd is not None:
            patch.chdir(cwd)
        code = _exit_code()
    out.seek(0)
    err.seek(0)
    return subprocess.CompletedProcess(sys.argv, code, out.read(), err.read())


def _exit_code() -> int:
    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def llm_cost_process(*arguments: object, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, where its start, its environment or its end is what is tested."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "warehouse", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"COLUMNS": "40"} | variables,
        timeout=300,
    )


def segment(name: str = "host-1-abc-0-9", day: date = date(2026, 11, 2)) -> Segment:
    """A segment as the manifest knows it; no file of it lies anywhere."""
    counted = {"row_count": 2, "requests": 2, "token_count": 7, "micro_usd": 3, "unpriced_requests": 0, "bytes": 9}
    cost = Decimal("123456789.000000000001")
    return Segment(
        name,
        day,
        **counted,
        cost_usd=cost,
        sha256="a" * 64,
        prompts=0,
        prompts_sha256=None,
        journal="host-1-abc.log",
        journal_start=0,
        journal_end=9,
    )
