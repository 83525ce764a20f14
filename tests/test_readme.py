"""Everything the README shows is executed, as it stands there."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import tracking
from tracking.rows.request_type import RequestType

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)

ANSWER = {
    "id": "msg_01README",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5",
    "content": [{"type": "text", "text": "Four criteria: thesis, evidence, structure, language."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 412, "output_tokens": 388},
}


CHAT = {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 412, "completion_tokens": 104, "total_tokens": 516}}
EVENTS = [
    {"type": "message_start", "message": ANSWER | {"id": "msg_02README", "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Well argued, "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "but cite more."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 388}},
    {"type": "message_stop"},
]


class _Anthropic(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = json.dumps(ANSWER).encode()
        if request.get("stream"):
            lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS]
            body = "".join(lines).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if request.get("stream") else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local server in place of the provider, found by the real SDK through its own variables."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Anthropic)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    yield
    server.shutdown()
    server.server_close()


@dataclass
class Assignment:
    id: int
    title: str


@dataclass
class Submission:
    id: int
    text: str


@dataclass
class Teacher:
    id: str


def test_python_examples_do_what_they_say(
    provider: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLM_COST_HOME", str(tmp_path / "home"))
    namespace: dict[str, object] = {}
    expected_outputs = 0
    for (language, code), (next_language, next_text) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if language != "python":
            continue
        capsys.readouterr()
        exec(compile(code, "README.md", "exec"), namespace)
        if next_language == "text":
            expected_outputs += 1
            assert capsys.readouterr().out == next_text
    assert expected_outputs == 1
    assert "summarise_feedback" in RequestType.names()

    tracker = namespace["tracker"]
    text = namespace["generate_rubric_for_assignment"](Assignment(42, "The causes of the war"), Teacher("teacher-1"))
    assert text == "Four criteria: thesis, evidence, structure, language."
    assert capsys.readouterr().out == "rubric for The causes of the war: $0.004704, 800 tokens\n"

    record = namespace["grade"](namespace["client"], tracker, Submission(7, "My essay"), Teacher("teacher-1"))
    assert (record.request_type, record.trackable_id, record.micro_usd) == ("grade_student_work", "7", 4704)
    assert record.trackable_parent_id == "42"
    assert record.latency_ms is not None

    feedback = namespace["stream_feedback"](
        namespace["client"], tracker, Submission(7, "My essay"), Teacher("teacher-1")
    )
    assert "".join(feedback) == "Well argued, but cite more."

    results = [{"custom_id": f"essay-{n}", "response": {"body": CHAT | {"id": f"chatcmpl-{n}"}}} for n in (1, 2)]
    prompts = {result["custom_id"]: "Grade this essay" for result in results}
    namespace["record_batch"](tracker, Teacher("teacher-1"), ("Assignment", 42), prompts, results)
    tracker.close()
    rows = [json.loads(line[9:]) for file in (tmp_path / "home" / "journal").iterdir() for line in file.open()]
    assert [(row["request_type"], row["status"], row["micro_usd"]) for row in rows] == [
        ("generate_rubric", "ok", 4704),
        ("grade_student_work", "ok", 4704),
        ("summarise_feedback", "ok", 4704),
        *[("grade_student_work", "ok", 62)] * 2,
    ]
    journals = {*(tmp_path / "home" / "journal").iterdir()}
    asked = [{"role": "user", "content": "Four criteria?"}]
    namespace["watched"].messages.create(model="claude-sonnet-5", max_tokens=64, messages=asked)
    tracking.default_tracker().close()
    (line,) = [line for file in {*(tmp_path / "home" / "journal").iterdir()} - journals for line in file.open()]
    assert (json.loads(line[9:])["user_id"], json.loads(line[9:])["micro_usd"]) == ("unattributed", 4704)


def test_shell_examples_run_in_a_fresh_directory(tmp_path: Path) -> None:
    scripts = [code for language, code in BLOCKS if language == "sh"]
    commands = "".join(script for script in scripts if "make " not in script)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("LLM_COST_HOME", None)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "1 lines: 1 recorded (0 of them unpriced), 0 refused" in done.stdout
    rows, _ = json.JSONDecoder().raw_decode(done.stdout, done.stdout.rindex("\n[") + 1)
    assert rows == [{"user_id": "teacher-1", "llm": "gpt-5-mini", "cost_usd": "0.000900000000"}]


def test_make_targets_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", "".join(re.findall(r"`[^`]*`|^make .*$", README, flags=re.MULTILINE))))
    assert named
    assert named <= targets


def test_files_linked_to_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []
