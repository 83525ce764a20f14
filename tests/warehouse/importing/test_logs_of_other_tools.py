"""Logs of other tools: every paid call once, in whatever files and however often it stands there."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ledgers import visible

from tracking.home import Home
from warehouse.importing.calls import Defaults, ImportFileError
from warehouse.importing.import_files import ImportReport, import_files
from warehouse.sealing.seal import seal

WHOSE = Defaults(user="ann", trackable="Project:none", request_type="grade_student_work")


def imported(home: Path, *paths: Path, defaults: Defaults = WHOSE, format_name: str | None = None) -> ImportReport:
    report = import_files(Home(home), list(paths), defaults, format_name=format_name)
    assert report.lines == report.recorded + len(report.refusals)
    return report


def sealed(home: Path) -> list[dict[str, Any]]:
    seal(Home(home))
    return sorted(visible(home), key=lambda row: (row["occurred_at"], row["record_id"]))


def write(file: Path, *lines: Any, end: str = "\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)[:-1] + end)
    return file


def answer(message: str, output: int, session: str = "s-1", **fields: Any) -> dict[str, Any]:
    """A line of Claude Code."""
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 1000, "cache_read_input_tokens": 200}
    return {
        "type": "assistant",
        "sessionId": session,
        "cwd": "/home/ann/school",
        "gitBranch": "main",
        "timestamp": "2026-11-02T12:00:00.123Z",
        "uuid": f"{session}-{message}-{output}",
        "message": {
            "id": message,
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5-20250929",
            "content": [{"type": "text", "text": "a canary sang"}],
            "usage": usage | {"output_tokens": output},
        },
    } | fields


ASKED = {"type": "user", "sessionId": "s-1", "message": {"role": "user", "content": "canary question"}}


def test_an_answer_of_claude_code_counts_once_with_its_last_counts_in_every_session_that_has_it(
    home: Path, tmp_path: Path
) -> None:
    projects = tmp_path / "projects"
    write(projects / "school" / "s-1.jsonl", ASKED, answer("msg_1", 1), answer("msg_1", 9), answer("msg_2", 5))
    forked = [answer("msg_1", 1, "s-2"), answer("msg_1", 9, "s-2"), answer("msg_3", 7, "s-2")]
    write(projects / "school" / "s-2.jsonl", {"type": "summary", "leafUuid": "x", "summary": "canary"}, *forked)
    for _ in range(2):
        assert imported(home, projects).refusals == []
        rows = sealed(home)
        assert sorted(row["output_tokens"] for row in rows) == [5, 7, 9]
    (first,) = [row for row in rows if row["output_tokens"] == 9]
    assert (first["provider"], first["input_tokens"], first["cache_write_tokens"]) == ("anthropic", 1210, 1000)
    assert (first["trackable_type"], first["trackable_id"]) == ("Project", "/home/ann/school")
    assert (first["tags"], first["user_id"]) == ('{"git_branch": "main"}', "ann")
    assert first["trace_id"] in ("s-1", "s-2")
    assert first["occurred_at"] == datetime(2026, 11, 2, 12, 0, 0, 123_000, tzinfo=UTC)
    assert not any("canary" in file.read_text(errors="replace") for file in home.rglob("*") if file.is_file())


def test_what_claude_code_says_itself_is_no_call_and_a_seller_is_known_by_the_id(home: Path, tmp_path: Path) -> None:
    synthetic = answer("msg_0", 0)
    synthetic["message"]["model"] = "<synthetic>"
    lines = [ASKED, synthetic, answer("msg_bdrk_1", 5), answer("msg_vrtx_1", 6, costUSD=0.0125)]
    report = imported(home, write(tmp_path / "s.jsonl", *lines))
    assert report.lines == 2
    rows = sealed(home)
    assert sorted(row["provider"] for row in rows) == ["aws", "google"]
    assert {row["provider_cost_usd"] for row in rows} == {None, Decimal("0.0125")}


def test_a_session_that_goes_on_is_imported_as_far_as_it_is(home: Path, tmp_path: Path) -> None:
    cut = json.dumps(answer("msg_2", 6))[:80]
    report = imported(home, write(tmp_path / "s.jsonl", ASKED, answer("msg_1", 5), cut, end=""))
    assert (report.lines, report.refusals) == (1, [])
    report = imported(home, write(tmp_path / "s.jsonl", ASKED, answer("msg_1", 5), cut, answer("msg_2", 6)))
    assert (report.recorded, [refusal.line for refusal in report.refusals]) == (2, [3])
    assert len(sealed(home)) == 2


ROOT = "01970000-0000-7000-8000-000000000001"
CHILD = "01970000-0000-7000-8000-000000000002"
GRANDCHILD = "01970000-0000-7000-8000-000000000003"


def meta(session: str, parent: str | None = None) -> dict[str, Any]:
    forked = {"forked_from_id": parent} if parent else {}
    return {"type": "session_meta", "payload": {"id": session, "cwd": "/home/ann/school"} | forked}


TURN = {"type": "turn_context", "payload": {"model": "gpt-5-codex", "cwd": "/home/ann/school"}}


def count(total: int, last: int, minute: int = 0) -> dict[str, Any]:
    """A `token_count` of so many input tokens, a tenth of them cached, and half as many output tokens."""

    def counts(tokens: int) -> dict[str, int]:
        parts = {"cached_input_tokens": tokens // 10, "output_tokens": tokens // 2, "reasoning_output_tokens": 0}
        return {"input_tokens": tokens, **parts, "total_tokens": tokens + tokens // 2}

    info = {"total_token_usage": counts(total), "last_token_usage": counts(last), "model_context_window": 258400}
    payload = {"type": "token_count", "info": info, "rate_limits": {}}
    return {"timestamp": f"2026-11-02T12:{minute:02}:00Z", "type": "event_msg", "payload": payload}


def rollout(folder: Path, session: str) -> Path:
    return folder / "sessions" / "2026" / "11" / "02" / f"rollout-2026-11-02T12-00-00-{session}.jsonl"


NOTHING = {"timestamp": "2026-11-02T12:00:00Z", "type": "event_msg", "payload": {"type": "token_count", "info": None}}


def test_codex_events_that_are_written_again_and_copies_in_forked_sessions_count_once(
    home: Path, tmp_path: Path
) -> None:
    first = [count(1000, 1000), count(1000, 1000, 1), count(3000, 2000, 2)]
    write(rollout(tmp_path, ROOT), meta(ROOT), TURN, NOTHING, *first)
    copy = [count(1000, 1000, 30), count(1000, 1000, 30), count(3000, 2000, 30)]
    write(rollout(tmp_path, CHILD), meta(CHILD, ROOT), meta(ROOT), TURN, *copy, count(3500, 500, 31))
    write(
        rollout(tmp_path, GRANDCHILD), meta(GRANDCHILD, CHILD), TURN, *copy, count(3500, 500, 40), count(3700, 200, 41)
    )
    for _ in range(2):
        assert imported(home, tmp_path / "sessions").refusals == []
        rows = sealed(home)
        assert sorted(row["input_tokens"] for row in rows) == [200, 500, 1000, 2000]
    assert {(row["provider"], row["model"], row["pricing_status"]) for row in rows} == {
        ("openai", "gpt-5-codex", "priced")
    }
    (longest,) = [row for row in rows if row["input_tokens"] == 2000]
    assert (longest["cache_read_tokens"], longest["output_tokens"]) == (200, 1000)


def test_equal_counts_of_codex_sessions_that_have_nothing_to_do_with_each_other_all_count(
    home: Path, tmp_path: Path
) -> None:
    for session in (ROOT, CHILD):
        write(rollout(tmp_path, session), meta(session), TURN, count(1000, 1000))
    imported(home, tmp_path / "sessions")
    assert len(sealed(home)) == 2


def test_codex_totals_that_rise_by_more_than_the_last_answer_count_in_full(home: Path, tmp_path: Path) -> None:
    imported(home, write(rollout(tmp_path, ROOT), meta(ROOT), TURN, count(1000, 1000), count(4000, 500)))
    assert sorted(row["input_tokens"] for row in sealed(home)) == [1000, 3000]


CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1762084800,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "canary"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}


def test_results_of_an_openai_batch_come_in_at_the_price_of_batches(home: Path, tmp_path: Path) -> None:
    embedding = {
        "object": "list",
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 1_000_000, "total_tokens": 1_000_000},
    }
    failed = {"status_code": 400, "body": {"error": {"message": "canary"}}}
    lines = [
        {"id": f"batch_req_{number}", "custom_id": f"essay-{number}", "response": response, "error": None}
        for number, response in enumerate(
            [{"status_code": 200, "body": CHAT}, {"status_code": 200, "body": embedding}, failed, None]
        )
    ]
    file = write(tmp_path / "batch.jsonl", *lines)
    for _ in range(2):
        assert imported(home, file).lines == 2
        rows = {row["model"]: row for row in sealed(home)}
        assert set(rows) == {"gpt-4o-2024-08-06", "text-embedding-3-small"}
    # Half of 2.50 and 10 USD for a million tokens, and of 0.02.
    assert rows["gpt-4o-2024-08-06"]["cost_usd"] == Decimal("0.00175")
    assert rows["text-embedding-3-small"]["cost_usd"] == Decimal("0.01")
    assert rows["gpt-4o-2024-08-06"]["tags"] == '{"custom_id": "essay-0"}'


def test_results_of_an_anthropic_batch_come_in_at_the_price_of_batches(home: Path, tmp_path: Path) -> None:
    message = answer("msg_9", 100)["message"] | {
        "model": "claude-sonnet-4-5",
        "usage": {"input_tokens": 1000, "output_tokens": 100},
    }
    lines = [
        {"custom_id": "essay-1", "result": {"type": "succeeded", "message": message}},
        {"custom_id": "essay-2", "result": {"type": "errored", "error": {"type": "invalid_request_error"}}},
        {"custom_id": "essay-3", "result": {"type": "expired"}},
    ]
    assert imported(home, write(tmp_path / "batch.jsonl", *lines)).lines == 1
    (row,) = sealed(home)
    assert (row["cost_usd"], row["pricing_status"]) == (Decimal("0.00225"), "priced")


def spend(**fields: Any) -> dict[str, Any]:
    """A row of LiteLLM_SpendLogs."""
    return {
        "request_id": "chatcmpl-7",
        "call_type": "acompletion",
        "api_key": "hashed",
        "spend": 0.0035,
        "total_tokens": 1100,
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "startTime": "2026-11-02T12:00:00.000Z",
        "endTime": "2026-11-02T12:00:01.500Z",
        "model": "gpt-4o",
        "custom_llm_provider": "openai",
        "user": "admin",
        "end_user": "ann@school",
        "team_id": "north",
        "session_id": "trace-1",
        "request_tags": ["grading"],
        "cache_hit": "False",
        "metadata": {"usage_object": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}},
    } | fields


def test_spend_logs_of_litellm_come_in_with_what_litellm_says_they_cost(home: Path, tmp_path: Path) -> None:
    file = write(
        tmp_path / "spend.jsonl",
        spend(),
        spend(request_id="chatcmpl-8", cache_hit="True", spend=0),
        spend(request_id="c-9", status="failure", spend=0, end_user="", metadata={}),
    )
    report = imported(home, file)
    assert (report.lines, report.refusals) == (2, [])
    assert report.stated_costs == {"gpt-4o": (Decimal("0.0035"), Decimal("0.0035"))}
    first, second = sorted(sealed(home), key=lambda row: row["status"], reverse=True)
    columns = ("user_id", "tenant", "trace_id", "tags", "latency_ms", "provider_cost_usd")
    assert [first[name] for name in columns] == [
        *("ann@school", "north", "trace-1", '{"grading": true}', 1500, Decimal("0.0035"))
    ]
    assert (second["user_id"], second["status"], second["cost_usd"]) == ("admin", "error", None)


def test_spend_logs_exported_as_csv_are_the_same_calls(home: Path, tmp_path: Path) -> None:
    row = {
        name: json.dumps(value) if isinstance(value, dict | list) else str(value) for name, value in spend().items()
    } | {"startTime": "2026-11-02 12:00:00", "endTime": "2026-11-02 12:00:01.5"}
    quoted = ['"' + value.replace('"', '""') + '"' for value in row.values()]
    file = write(tmp_path / "spend.csv", ",".join(row), ",".join(quoted))
    imported(home, write(tmp_path / "spend.jsonl", spend()))
    assert imported(home, file).refusals == []
    (row_,) = sealed(home)
    assert row_["occurred_at"] == datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"spend": "much"}, "cost_usd"),
        ({"startTime": "noon"}, "occurred_at"),
        ({"metadata": None, "prompt_tokens": "many"}, "prompt_tokens"),
        ({"custom_llm_provider": "", "model": "own-model"}, "provider"),
    ],
)
def test_a_spend_log_that_cannot_be_meant_is_refused(
    home: Path, tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    report = imported(home, write(tmp_path / "spend.jsonl", spend(**fields), spend(request_id="ok")))
    assert report.recorded == 1
    assert reason in report.refusals[0].reason


def test_a_format_can_be_named_and_an_unknown_one_is_refused(home: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "s.jsonl", ASKED, answer("msg_1", 5))
    with pytest.raises(ImportFileError, match=r"format 'claude' is not known; known: answers, table, claude-code"):
        imported(home, file, format_name="claude")
    assert imported(home, file, format_name="answers").recorded == 0
    assert imported(home, file, format_name="claude-code").recorded == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImportFileError, match="folder without JSON lines"):
        imported(home, tmp_path / "empty")
