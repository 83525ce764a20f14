"""`llm-cost import`: what it prints, where, and its exit code."""

import json
from pathlib import Path

import pytest
from commands import WHO, as_json, assert_one_complaint
from ledgers import body, journals, llm_cost


def test_import_says_what_became_of_every_line(tmp_path: Path, calls: Path) -> None:
    with calls.open("a") as file:
        file.write(json.dumps({"provider": "openai", "response": body(4, model="school-own-grader")}) + "\n{\n")
    done = llm_cost("import", calls, *WHO, "--home", tmp_path / "home")
    assert done.returncode == 1
    assert done.stdout == "5 lines: 4 recorded (1 of them unpriced), 1 refused\n"
    assert done.stderr == "llm-cost: calls.jsonl line 5 refused: not valid JSON at column 2\n"


def test_import_exits_0_when_every_line_was_recorded(tmp_path: Path, calls: Path) -> None:
    report = as_json(llm_cost("import", calls, *WHO, "--json", LLM_COST_HOME=str(tmp_path / "home")))
    assert report == {
        "lines": 3,
        "recorded": 3,
        "unpriced": 0,
        "refused": 0,
        "refusals": [],
        "reasons": {},
        "stated": {},
    }
    assert as_json(llm_cost("seal", "--json", LLM_COST_HOME=str(tmp_path / "home")))["rows"] == 3


def test_import_lists_refusals_as_json_too(tmp_path: Path, calls: Path) -> None:
    done = llm_cost("import", calls, "--json", "--home", tmp_path / "home")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["refused"] == len(report["refusals"]) == 3
    assert report["refusals"][2]["line"] == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["missing.jsonl"], ["missing.jsonl", "No such file"]),
        (["folder"], ["folder cannot be read"]),
        (["half.jsonl"], ["half.jsonl is cut off in line 1"]),
        (["calls.jsonl", "--trackable", "Assignment"], ["trackable", "Type:id"]),
        (["calls.jsonl", "--request-type", "nonsense"], ["request_type", "'nonsense'"]),
        (["calls.jsonl", "--user", " "], ["user", "blank"]),
    ],
)
def test_import_refuses_bad_input_in_one_line_and_records_nothing(
    tmp_path: Path, calls: Path, arguments: list[str], named: list[str]
) -> None:
    (tmp_path / "half.jsonl").write_text('{"provider": "openai", "resp')
    (tmp_path / "folder").mkdir()
    refused = llm_cost("import", *arguments, "--home", "home", cwd=tmp_path)
    assert_one_complaint(refused, 2, *named)
    assert journals(tmp_path / "home") == []


def test_a_home_that_cannot_be_used_is_one_clear_error(tmp_path: Path, calls: Path) -> None:
    (tmp_path / "file").write_text("")
    for command in (["import", calls, *WHO], ["seal"], ["build"]):
        assert_one_complaint(llm_cost(*command, "--home", tmp_path / "file"), 2, str(tmp_path / "file"))


def test_a_home_from_a_newer_version_is_refused(tmp_path: Path, calls: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ledger.toml").write_text("format_version = 99\n")
    for command in (["import", calls, *WHO], ["seal"], ["build"], ["demo"]):
        refused = llm_cost(*command, "--home", tmp_path / "home")
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["ledger.toml"]
