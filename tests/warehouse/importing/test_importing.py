"""Importing: every line of a file is recorded or refused with its reason, and a second import adds nothing."""

import json
import os
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import NOON, body, visible
from typer.testing import CliRunner

from tracking import ArgumentError, CostTracker, LedgerError
from tracking.home import Home
from tracking.journal.writer import JournalWriter
from warehouse.cli import app
from warehouse.importing.calls import Defaults, ImportFileError
from warehouse.importing.import_files import ImportReport, import_files
from warehouse.sealing.seal import seal

EVERYTHING = Defaults(user="teacher-1", trackable="Assignment:1", request_type="grade_student_work")


def call(**fields: Any) -> dict[str, Any]:
    return {"provider": "openai", "response": body()} | fields


def write(file: Path, *lines: Any, ending: bytes = b"\n") -> Path:
    """A file of JSON lines; bytes are written as they are."""
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    file.write_bytes(b"".join(line + ending for line in encoded))
    return file


def imported(home: Path, *files: Path, defaults: Defaults = EVERYTHING, source: str | None = None) -> ImportReport:
    report = import_files(Home(home), list(files), defaults, source)
    assert report.lines == report.recorded + len(report.refusals)
    return report


def sealed(home: Path) -> list[dict[str, Any]]:
    seal(Home(home))
    return visible(home)


def kept(home: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        file.name: [json.loads(line) for line in file.read_text().splitlines()]
        for file in sorted((home / "quarantine").iterdir())
    }


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


def test_every_real_answer_is_accounted_for_and_a_second_import_adds_nothing(
    home: Path, lines: Path, real_responses: list[dict[str, Any]]
) -> None:
    write(lines, *real_responses)
    report = imported(home, lines)
    assert (report.lines, report.recorded, report.refusals) == (783, 783, [])
    rows = sealed(home)
    assert len(rows) == 783
    assert sum(row["pricing_status"] == "unpriced" for row in rows) == report.unpriced
    cost = sum((row["cost_usd"] for row in rows if row["cost_usd"] is not None), Decimal(0))
    assert cost > 0
    os.utime(lines, (1_700_000_000, 1_700_000_000))
    assert imported(home, lines).recorded == 783
    assert sealed(home) == rows


def test_equal_lines_all_count_and_only_once(home: Path, lines: Path) -> None:
    write(lines, call(), call(), call(prompt="p"), call())
    imported(home, lines)
    imported(home, lines)
    assert len(sealed(home)) == 4
    os.utime(lines, (1_700_000_000, 1_700_000_000))
    imported(home, lines)
    assert len(sealed(home)) == 4
    with lines.open("ab") as file:
        file.write(json.dumps(call()).encode() + b"\n")
    imported(home, lines)
    assert len(sealed(home)) == 5


def test_equal_lines_of_two_files_of_one_name_all_count(home: Path, tmp_path: Path) -> None:
    """Rotated logs are often called the same; numbering lines anew in each file lost the second one's money."""
    files: list[Path] = []
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
        files.append(write(tmp_path / day / "calls.jsonl", call(), call()))
    for _ in range(2):
        imported(home, *files)
        assert len(sealed(home)) == 4


def test_a_file_named_twice_is_imported_once(home: Path, lines: Path) -> None:
    write(lines, call(), call())
    assert imported(home, lines, lines.parent / ".." / lines.parent.name / lines.name).recorded == 2
    assert len(sealed(home)) == 2


def test_the_source_label_decides_whether_it_is_the_same_line(home: Path, lines: Path, tmp_path: Path) -> None:
    write(lines, call())
    renamed = write(tmp_path / "renamed.jsonl", call())
    imported(home, lines)
    imported(home, renamed, source="calls.jsonl")
    assert len(sealed(home)) == 1
    imported(home, renamed)
    assert len(sealed(home)) == 2


def test_an_answer_with_an_id_is_one_call_in_whatever_file(home: Path, lines: Path, tmp_path: Path) -> None:
    write(lines, call(response=body(id="chatcmpl-1")))
    other = write(tmp_path / "other.jsonl", call(response=body(id="chatcmpl-1")), call(response=body(id="chatcmpl-2")))
    imported(home, lines, other)
    assert len(sealed(home)) == 2


REFUSED: list[tuple[Any, str]] = [
    (b"{", "not valid JSON"),
    (b'{"provider": "openai", "response": {}}, ', "not valid JSON"),
    (b"\xff\xfe\x00", "not valid JSON"),
    (b"[" * 100_000, "not valid JSON"),
    ([1], "a list, expected an object"),
    (5, "a int, expected an object"),
    ({"provider": "openai"}, "'response' is missing"),
    (call(response="text"), "'response' is missing or not an object"),
    (call(respnose=1), "unknown field 'respnose'"),
    (call(respnose=None), "unknown field 'respnose'"),
    (call(provider=5), "'provider' is a int"),
    (call(provider=" "), "provider is missing or blank"),
    (call(model=["gpt-4o"]), "'model' is a list"),
    (call(tags="blue"), "'tags' is a str"),
    (call(response={"model": "gpt-4o"}), "no usage"),
    (call(response=body(-5)), "(-5) is negative"),
    (call(response={"model": "gpt-4o", "usage": {"prompt_tokens": float("nan")}}), "finite"),
    (call(user=" "), "user is"),
    (call(user={"id": 1}), "user"),
    (call(trackable="Assignment"), "Type:id"),
    (call(request_type="grade_everything"), "'grade_everything' is not registered"),
    (call(occurred_at="2026-11-02"), "occurred_at (2026-11-02T00:00:00) has no time zone"),
    (call(occurred_at="noon"), "occurred_at ('noon') is not ISO 8601"),
    (call(occurred_at=5), "occurred_at is a int"),
    (call(occurred_at="0001-01-01T00:00:00+14:00"), "out of range"),
    (call(prompt=""), "prompt is missing or blank"),
]


@pytest.mark.parametrize(("line", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_a_refused_line_is_named_and_kept_and_its_neighbours_are_recorded(
    home: Path, lines: Path, line: Any, reason: str
) -> None:
    write(lines, call(), b"", line, call())
    report = imported(home, lines)
    assert report.recorded == 2
    (refusal,) = report.refusals
    assert (refusal.source, refusal.line) == ("calls.jsonl", 3)
    assert reason in refusal.reason
    assert "\n" not in refusal.reason
    ((entry,),) = kept(home).values()
    assert (entry["source"], entry["line"]) == ("calls.jsonl", 3)
    assert " ".join(entry["reason"].split()) == refusal.reason
    assert len(sealed(home)) == 2


def test_what_a_refused_answer_used_is_kept_without_what_was_said(home: Path, lines: Path) -> None:
    answer = body(12, 3, choices=[{"message": {"content": "canary answer"}}])
    write(lines, call(response=answer, prompt="canary prompt", user=" "), {"provider": "x", "prompt": "canary prompt"})
    imported(home, lines)
    ((entry, unanswered),) = kept(home).values()
    assert entry["answer"]["usage"]["input_tokens"] == 12
    assert entry["error"] == "ArgumentError"
    assert (unanswered["provider"], unanswered["answer"]) == ("x", None)
    assert "raw" not in unanswered
    assert "canary" not in json.dumps(kept(home))


def test_the_quarantine_is_the_same_after_a_second_import(home: Path, lines: Path) -> None:
    write(lines, call(), b"{", call(user=" "), b"{")
    imported(home, lines)
    (file,) = (home / "quarantine").iterdir()
    before = file.read_bytes()
    assert len(before.splitlines()) == 3
    imported(home, lines)
    assert [found.name for found in (home / "quarantine").iterdir()] == [file.name]
    assert file.read_bytes() == before


def test_refused_lines_of_another_file_of_the_same_name_stay_kept(home: Path, tmp_path: Path) -> None:
    """The second file's refusals used to replace the first one's."""
    for day, user in (("monday", ""), ("tuesday", " ")):
        (tmp_path / day).mkdir()
        imported(home, write(tmp_path / day / "calls.jsonl", call(user=user)))
    ((first, second),) = kept(home).values()
    assert first["sha256"] != second["sha256"]


def test_a_line_that_is_recorded_after_all_leaves_the_quarantine(home: Path, lines: Path) -> None:
    write(lines, call(request_type="summarise_feedback"), call())
    assert len(imported(home, lines).refusals) == 1
    settings_file = home / "ledger.toml"
    settings_file.write_text(settings_file.read_text().replace("types = []", 'types = ["summarise_feedback"]'))
    assert imported(home, lines).refusals == []
    assert kept(home) == {}
    assert len(sealed(home)) == 2


def test_a_source_label_cannot_leave_the_quarantine(home: Path, lines: Path) -> None:
    write(lines, b"{")
    imported(home, lines, source="../../" + "x/" * 200)
    (file,) = (home / "quarantine").iterdir()
    assert file.name.startswith("import-")


@pytest.mark.parametrize("cut", [1, 40, -2])
def test_a_file_that_is_cut_off_is_refused_whole(home: Path, lines: Path, tmp_path: Path, cut: int) -> None:
    whole = write(tmp_path / "whole.jsonl", call())
    write(lines, call(), call())
    with lines.open("ab") as file:
        file.write(json.dumps(call()).encode()[:cut])
    with pytest.raises(ImportFileError, match=r"calls\.jsonl is cut off in line 3; nothing was imported"):
        imported(home, whole, lines)
    assert sealed(home) == []
    assert kept(home) == {}


def test_a_last_line_without_a_newline_is_whole_if_it_is_json(home: Path, lines: Path) -> None:
    lines.write_bytes(json.dumps(call()).encode())
    assert imported(home, lines).recorded == 1


def test_what_is_no_readable_file_is_refused_before_anything_is_imported(home: Path, lines: Path) -> None:
    write(lines, call())
    pipe = lines.parent / "pipe"
    os.mkfifo(pipe)
    empty = lines.parent / "empty"
    empty.mkdir()
    for unreadable in (lines.parent / "missing.jsonl", empty, pipe):
        with pytest.raises(ImportFileError, match=f"{unreadable} cannot be read"):
            imported(home, lines, unreadable)
    assert sealed(home) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(home: Path, lines: Path) -> None:
    write(lines, call()).chmod(0)
    with pytest.raises(ImportFileError, match="Permission denied"):
        imported(home, lines)


def test_line_endings_and_blank_lines_are_no_part_of_a_line(home: Path, lines: Path) -> None:
    write(lines, call(), call(user="ann"))
    imported(home, lines)
    write(lines, call(), b"", b"   ", call(user="ann"), ending=b"\r\n")
    report = imported(home, lines)
    assert (report.lines, report.refusals) == (2, [])
    assert len(sealed(home)) == 2


def test_an_empty_file_is_an_empty_import(home: Path, lines: Path) -> None:
    lines.write_bytes(b"")
    assert imported(home, lines) == ImportReport()


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


def test_a_file_name_that_is_not_utf8_is_no_obstacle(home: Path, tmp_path: Path) -> None:
    file = write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xfcro.jsonl")), call(), b"{")
    report = imported(home, file)
    assert [refusal.source for refusal in report.refusals] == ["b\\xfcro.jsonl"]
    assert imported(home, file).recorded == 1
    assert len(sealed(home)) == 1


def test_a_full_disk_ends_the_import_and_blames_no_line(
    home: Path, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lines, call(), call(), call())
    append, written = JournalWriter.append, []

    def refuse(writer: JournalWriter, line: bytes) -> None:
        if written:
            raise LedgerError("journal refused a record: No space left on device")
        written.append(line)
        append(writer, line)

    with monkeypatch.context() as patch:
        patch.setattr(JournalWriter, "append", refuse)
        with pytest.raises(LedgerError, match="No space left"):
            imported(home, lines)
    assert imported(home, lines).recorded == 3
    assert len(sealed(home)) == 3


def test_progress_adds_up_to_the_size_of_the_file(home: Path, lines: Path) -> None:
    write(lines, call(), b"{", call())
    told: list[int] = []
    import_files(Home(home), [lines], EVERYTHING, progress=told.append)
    assert sum(told) == lines.stat().st_size


def test_an_import_beside_a_living_tracker_mixes_nothing_up(home: Path, lines: Path, tracker: CostTracker) -> None:
    write(lines, call())
    imported(home, lines)
    tracker.record(
        llm_response=body(9), user="ann", trackable=("Essay", 1), request_type="grade_student_work", prompt="x"
    )
    assert len(sealed(home)) == 2


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
IN_LINE = (
    "provider",
    "response",
    "model",
    "user",
    "trackable",
    "request_type",
    "occurred_at",
    "prompt",
    "tenant",
    "tags",
)
IN_RESPONSE = ("id", "model", "usage", "created", "created_at", "status", "service_tier", "choices", "output")
IN_USAGE = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "service_tier", "speed")


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_line_holds_it_is_recorded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    home = tmp_path_factory.mktemp("home")
    odd = call()
    usage = odd["response"]["usage"]
    for holder, names in ((odd, IN_LINE), (odd["response"], IN_RESPONSE), (usage, IN_USAGE)):
        for name in data.draw(st.sets(st.sampled_from(names), max_size=1)):
            holder[name] = data.draw(ODD)
    file = write(home / "calls.jsonl", call(response=body(31)), odd)
    report = imported(home, file)
    assert report.lines == 2
    assert len(sealed(home)) == report.recorded


def test_a_line_nested_to_any_depth_stops_no_import_of_its_file(home: Path, lines: Path) -> None:
    """A line nested 974 deep was kept in a way that no later import of the file could read."""
    answer = json.dumps(body())
    deep = [
        line % nested
        for depth in (*range(955, 1000, 4), 974, 100_000)
        for nested in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth)
        for line in (f'{{"provider":"openai","response":{answer},"tags":{{"x":%s}}}}', '{"response":%s}', "%s")
    ]
    write(lines, call(), *(line.encode() for line in deep))
    first, second = imported(home, lines), imported(home, lines)
    assert (first.lines, first.recorded, first.refusals) == (second.lines, second.recorded, second.refusals)
    assert first.recorded
    assert first.refusals


def test_what_an_earlier_import_kept_and_nobody_can_read_stops_no_import(home: Path, lines: Path) -> None:
    write(lines, b"no call")
    imported(home, lines)
    [file] = (home / "quarantine").iterdir()
    unreadable = ["[" * 5000, '{"line": 1}', "no JSON", "[]"]
    file.write_text("\n".join(unreadable) + "\n" + file.read_text())
    imported(home, lines)
    imported(home, write(lines, call()))
    assert file.read_text().splitlines()[: len(unreadable)] == unreadable


def test_many_refused_lines_are_summed_up(home: Path, lines: Path) -> None:
    write(lines, *[call(user=[number]) for number in range(3)], *[call(users=1)] * 400, *[b"no call"] * 100)
    arguments = [
        "import",
        str(lines),
        "--home",
        str(home),
        "--trackable",
        "Assignment:1",
        "--request-type",
        "generate_rubric",
    ]
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "40"})
    assert done.exit_code == 1
    told = done.stderr.splitlines()
    assert len(told) < 20
    assert "calls.jsonl line 4 refused: unknown field 'users'" in told[3]
    assert [line for line in told if "by reason" in line] == [
        "llm-cost: 503 lines were refused, all kept in quarantine/; by reason:"
    ]
    assert "llm-cost: 400 refused: unknown field …" in told
    assert sum(int(line.split()[1]) for line in told if line.split()[2] == "refused:") == 503
