"""Who a command records for, and what it is held to print."""

import json
import subprocess
from typing import Any

WHO = ("--user", "teacher-1", "--trackable", "Assignment:1", "--request-type", "grade_student_work")


def assert_one_complaint(refused: subprocess.CompletedProcess[str], code: int, *named: str) -> None:
    assert refused.returncode == code, refused.stderr
    assert refused.stdout == ""
    assert refused.stderr.startswith("llm-cost: ")
    assert refused.stderr.count("\n") == 1, refused.stderr
    for text in named:
        assert text in refused.stderr


def as_json(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)
