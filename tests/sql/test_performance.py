"""Times and errors: quantiles from histograms against all calls sorted, and how calls ended."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from math import ceil
from random import Random
from typing import Any

import duckdb
import pytest
from ledgers import NOON, body, build_marts

from tracking import CostTracker, LLMResponse
from tracking.home import Home
from warehouse.published.read import open_warehouse

RELATIVE_ERROR = 2 ** (1 / 16) - 1
"""Half of a bucket, of which eight make a doubling."""

DAYS = 3
CALLS = 400
Timing = tuple[int | None, int | None, int]


@pytest.fixture(scope="module")
def timings() -> dict[tuple[Any, str], list[Timing]]:
    """Latency, time to the first token and output tokens of calls by day and model: log-normal, with odd ones."""
    random = Random(5)
    timings: dict[tuple[Any, str], list[Timing]] = defaultdict(list)
    for number in range(CALLS):
        day = (NOON + timedelta(days=number % DAYS)).date()
        model = "gpt-4o" if number % 7 else "gpt-4o-mini"
        latency = int(random.lognormvariate(7, 1.2))
        odd: Mapping[int, Timing] = {0: (0, 0, 1), 1: (1, None, 2), 2: (None, None, 3), 3: (2**31, 2**20, 4)}
        timings[day, model].append(odd.get(number, (latency, latency // 9, random.randrange(900))))
    return timings


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, timings: Mapping[tuple[Any, str], list[Timing]]) -> Home:
    home = Home(tmp_path_factory.mktemp("performance") / "home")
    with CostTracker(home.root) as tracker:
        for (day, model), times in timings.items():
            for number, (latency, ttft, output_tokens) in enumerate(times):
                answer = LLMResponse.from_provider(body(1000, output_tokens, model=model), provider="openai")
                at = NOON.replace(year=day.year, month=day.month, day=day.day, hour=9 if number % 3 else 15)
                _record(tracker, answer, at=at, latency_ms=latency, ttft_ms=ttft)
        for number in range(10):
            failed = LLMResponse.failed(provider="openai", model="gpt-4o-2024-08-06", error_type="Timeout")
            first = _record(tracker, failed, latency_ms=60_000, attempt=1)
            whole = LLMResponse.from_provider(body(10, 10, model="gpt-4o-2024-08-06"), provider="openai")
            status = "partial" if number < 2 else None
            _record(tracker, whole, attempt=2, retry_of=first.record_id, status=status, at=NOON + timedelta(days=20))
    build_marts(home, "performance_per_model_day", "error_rates_daily")
    return home


def _record(tracker: CostTracker, answer: LLMResponse, *, at: Any = NOON + timedelta(days=20), **options: Any) -> Any:
    return tracker.record(
        llm_response=answer,
        user="teacher-1",
        trackable=("Assignment", 1),
        request_type="grade_student_work",
        prompt="Grade this.",
        occurred_at=at,
        **options,
    )


def rows(home: Home, query: str) -> list[tuple[Any, ...]]:
    with open_warehouse(home) as warehouse:
        return warehouse.execute(query).fetchall()


def nearest_rank(values: list[int], quantile: float) -> int:
    return sorted(values)[ceil(round(quantile * len(values), 9)) - 1]


@pytest.mark.parametrize(("measure", "position"), [("latency", 0), ("ttft", 1)])
def test_quantiles_are_within_half_a_bucket_of_those_of_all_calls_sorted(
    home: Home, timings: Mapping[tuple[Any, str], list[Timing]], measure: str, position: int
) -> None:
    columns = ", ".join(f"{measure}_p{percent}_ms" for percent in (50, 90, 99))
    estimates = {
        (day, llm): found
        for day, llm, *found in rows(home, f"select reporting_date, llm, {columns} from performance_per_model_day")
    }
    widest = 0.0
    for key, times in timings.items():
        known = [time[position] for time in times if time[position] is not None]
        exact = [nearest_rank(known, quantile) for quantile in (0.5, 0.9, 0.99)]  # pyright: ignore[reportArgumentType]
        for estimate, value in zip(estimates[key], exact, strict=True):
            assert estimate == pytest.approx(value, rel=RELATIVE_ERROR + 1e-9), key
            widest = max(widest, abs(estimate / value - 1))
    assert widest > 0.01, "histograms that happen to be exact prove nothing"


def test_speed_counts_calls_whose_time_is_known(home: Home, timings: Mapping[tuple[Any, str], list[Timing]]) -> None:
    found = rows(
        home,
        "select reporting_date, llm, requests, timed_requests, ttft_requests, mean_latency_ms, "
        "output_tokens_per_second, peak_hour, peak_hour_requests from performance_per_model_day "
        "where failed_requests = 0",
    )
    assert len(found) == len(timings)
    for day, llm, requests, timed, ttft, mean, speed, peak_hour, peak in found:
        times = timings[day, llm]
        known = [(latency, output) for latency, _, output in times if latency is not None]
        total = sum(latency for latency, _ in known)
        assert (requests, timed) == (len(times), len(known))
        assert ttft == sum(time[1] is not None for time in times)
        assert mean == pytest.approx(total / len(known))
        assert speed == pytest.approx(1000 * sum(output for _, output in known) / total)
        assert (peak_hour, peak) == (9, len(times) - ceil(len(times) / 3))


def test_a_failed_call_counts_with_the_model_its_name_stands_for(home: Home) -> None:
    assert rows(
        home,
        "select llm, requests, failed_requests, partial_requests, error_rate from performance_per_model_day "
        "where failed_requests > 0",
    ) == [("gpt-4o", 20, 10, 2, 0.5)]
    assert rows(
        home,
        "select llm, status, error_type, requests, retry_requests, share_of_requests, cost_usd is null "
        "from error_rates_daily where reporting_date = '2026-11-22' order by status",
    ) == [
        ("gpt-4o", "error", "Timeout", 10, 0, 0.5, True),
        ("gpt-4o", "ok", None, 8, 8, 0.4, False),
        ("gpt-4o", "partial", None, 2, 2, 0.1, False),
    ]


def test_nothing_identifies_a_person_in_the_histograms(home: Home) -> None:
    with duckdb.connect(home.build_database, read_only=True) as connection:
        columns = {name for name, *_ in connection.execute("describe int_latency_daily").fetchall()}
    assert columns.isdisjoint({"user_id", "tenant", "trackable_id", "trackable_root_id", "prompt_hmac"})
