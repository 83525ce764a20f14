"""Every example of docs/capture.md is executed as it stands there, with the real packages."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from captured_answers import EMBEDDINGS, GEMINI, MESSAGE_EVENTS, RESPONSE, chat, sse
from provider_server import ProviderServer, json_answer

import tracking

PAGE = (Path(__file__).parents[3] / "docs" / "capture.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
PACKAGES = ("openai", "anthropic", "google.genai")


@pytest.fixture
def provider_of_page(provider: ProviderServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in PACKAGES:
        pytest.importorskip(package)
    monkeypatch.setenv("LLM_COST_HOME", str(home))
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", provider.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    provider.on("/v1/chat/completions", json_answer(chat()))
    provider.on("/v1/embeddings", json_answer(EMBEDDINGS))
    provider.on("/v1/responses", json_answer(RESPONSE))
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", provider.url)
    provider.on(":generateContent", json_answer(GEMINI))
    provider.on("/v1/messages", sse(MESSAGE_EVENTS, named=True, done=False))


def test_every_example_is_short_and_records_what_it_says(
    provider_of_page: None, home: Path, journal_records: Callable[[Path], list[dict[str, Any]]], capsys: Any
) -> None:
    assert EXAMPLES
    namespace: dict[str, Any] = {}
    for example in EXAMPLES:
        assert len(example.strip().splitlines()) <= 5
        if "import litellm" in example:  # for seconds: see below
            continue
        exec(compile(example, "docs/capture.md", "exec"), namespace)
    namespace["write_rubric"](("Assignment", 43), "teacher-2")
    tracking.default_tracker().close()
    rows = [(row["provider"], row["model"], row["user_id"], row["status"]) for row in journal_records(home)]
    assert rows == [
        ("openai", "gpt-4o-2024-08-06", "unattributed", "ok"),
        ("openai", "gpt-5-mini-2025-08-07", "teacher-1", "ok"),
        ("anthropic", "claude-sonnet-5", "unattributed", "ok"),
        ("google", "gemini-2.5-flash", "unattributed", "ok"),
        ("openai", "text-embedding-3-small", "unattributed", "ok"),
        ("openai", "gpt-5-mini-2025-08-07", "teacher-2", "ok"),
    ]
    assert capsys.readouterr().out == "Four criteria for essays\n"


@pytest.mark.parametrize(
    "package", ["openai", "anthropic", "groq", "google.genai", "mistralai.client", "cohere", "ollama"]
)
def test_the_tables_methods_are_the_packages(package: str) -> None:
    module = pytest.importorskip(package)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{package.removesuffix('.client')}`"))
    kinds, *cells, _ = [re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[1:-1]]
    client = getattr(module, kinds[1])(**({} if package == "ollama" else {"api_key": "k"}))
    for cell in cells:
        before = ""
        for method in cell:
            path = method.removesuffix("()")
            path = f"{before.rpartition('.')[0]}{path}" if path.startswith(".") else path
            before, found = path, client
            for name in [] if path.startswith("with_") else path.split("."):
                found = getattr(found, name)
            assert callable(found) or path.count(".") == 0, method
