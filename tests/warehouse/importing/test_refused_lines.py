"""Lines that an import refuses: named, kept without what was said, and no obstacle to their neighbours."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imports import call, imported, kept, sealed, write
from ledgers import body
from typer.testing import CliRunner

from warehouse.cli import app

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
