"""What a line does not say itself: the defaults of its import, the answer's own model and time, or NULL."""

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from imports import EVERYTHING, call, imported, sealed, write
from ledgers import NOON, body

from tracking import ArgumentError
from warehouse.importing.calls import Defaults


def test_a_line_says_more_than_the_defaults_and_null_says_nothing(home: Path, lines: Path) -> None:
    said = call(user="ann", trackable={"type": "Rubric", "id": 7}, request_type="generate_rubric", tenant="school")
    silent = call(user=None, trackable=None, request_type=None, occurred_at=None, prompt=None, tenant=None, tags=None)
    write(lines, said | {"tags": {"term": 1}, "response": body(1)}, silent)
    assert imported(home, lines).refusals == []
    first, second = sorted(sealed(home), key=lambda row: row["input_tokens"])
    columns = ("user_id", "trackable_type", "trackable_id", "request_type", "tenant", "tags")
    assert [first[name] for name in columns] == ["ann", "Rubric", "7", "generate_rubric", "school", '{"term": 1}']
    assert [second[name] for name in columns] == ["teacher-1", "Assignment", "1", "grade_student_work", None, None]


def test_without_a_default_a_line_must_say_it_itself(home: Path, lines: Path) -> None:
    write(lines, call())
    report = imported(home, lines, defaults=Defaults())
    assert [refusal.reason for refusal in report.refusals] == ["trackable is missing or blank"]


@pytest.mark.parametrize(
    ("defaults", "argument"),
    [
        (Defaults(user=" "), "user"),
        (Defaults(trackable="Assignment"), "trackable"),
        (Defaults(request_type="nonsense"), "request_type"),
    ],
)
def test_an_unusable_default_is_refused_at_once(home: Path, lines: Path, defaults: Defaults, argument: str) -> None:
    write(lines, call())
    with pytest.raises(ArgumentError) as refused:
        imported(home, lines, defaults=defaults)
    assert refused.value.argument == argument
    assert sealed(home) == []


def test_the_default_provider_is_for_lines_that_name_none(home: Path, lines: Path) -> None:
    anthropic = {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 5, "output_tokens": 2}}
    write(lines, {"response": body()}, call(provider="anthropic", response=anthropic))
    imported(home, lines, defaults=Defaults(**{**vars_of(EVERYTHING), "provider": "openai"}))
    assert sorted(row["provider"] for row in sealed(home)) == ["anthropic", "openai"]


def vars_of(defaults: Defaults) -> dict[str, Any]:
    return {name: getattr(defaults, name) for name in Defaults.__slots__}


def test_the_default_model_is_only_for_answers_that_name_none(home: Path, lines: Path) -> None:
    """It used to replace the model of every answer, and with it the price."""
    bedrock = {"usage": {"inputTokens": 100, "outputTokens": 10, "totalTokens": 110}}
    own = call(provider="aws", response=bedrock, model="amazon.nova-pro-v1:0")
    write(lines, call(provider="aws", response=bedrock), own, call(response=body(model="gpt-4o-mini")))
    imported(home, lines, defaults=Defaults(**{**vars_of(EVERYTHING), "model": "amazon.nova-lite-v1:0"}))
    found = Counter((row["provider"], row["model"], row["pricing_status"]) for row in sealed(home))
    expected = {("aws", "amazon.nova-lite-v1:0"), ("aws", "amazon.nova-pro-v1:0"), ("openai", "gpt-4o-mini")}
    assert found == Counter({(*named, "priced"): 1 for named in expected})


def test_the_time_is_the_lines_else_the_answers_else_the_files(home: Path, lines: Path) -> None:
    created = datetime(2026, 10, 1, tzinfo=UTC)
    answered = body(2, created=int(created.timestamp()))
    write(
        lines,
        call(response=answered | {"usage": body(1)["usage"]}, occurred_at="2026-11-02T13:00:00+01:00"),
        call(response=answered),
        call(response=body(3)),
    )
    os.utime(lines, (1_700_000_000.25, 1_700_000_000.25))
    imported(home, lines)
    times = {row["input_tokens"]: row["occurred_at"] for row in sealed(home)}
    assert times == {1: NOON, 2: created, 3: datetime.fromtimestamp(1_700_000_000.25, UTC)}


def test_without_a_prompt_every_prompt_column_is_null(home: Path, lines: Path) -> None:
    write(lines, call(), call(prompt=[{"role": "user", "content": "héllo"}]))
    imported(home, lines)
    without, given_ = sorted(sealed(home), key=lambda row: row["prompt_chars"] or 0)
    columns = ("prompt_chars", "prompt_hmac", "prompt_prefix_hmac")
    assert [without[name] for name in columns] == [None, None, None]
    assert given_["prompt_hmac"]
    prompts = pl.read_parquet(sorted((home / "prompts").rglob("*.parquet")), hive_partitioning=False)
    assert prompts["record_id"].to_list() == [given_["record_id"]]


def test_an_unknown_model_is_recorded_unpriced(home: Path, lines: Path) -> None:
    write(lines, call(response=body(model="school-own-grader")), call())
    report = imported(home, lines)
    assert (report.recorded, report.unpriced) == (2, 1)
    assert [row["cost_usd"] for row in sealed(home) if row["model"] == "school-own-grader"] == [None]
