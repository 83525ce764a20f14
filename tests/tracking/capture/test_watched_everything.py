"""`tracking.watch_everything()`: clients of packages imported before and after it, until it is undone."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from captured_answers import GEMINI, MESSAGE, MESSAGES, chat
from journals import run
from provider_server import ProviderServer, json_answer

import tracking
from tracking import CostTracker

openai = pytest.importorskip("openai")

Rows = Callable[[], list[dict[str, Any]]]

LATER = """
import sys
import tracking
handle = tracking.watch_everything()
assert not {{"openai", "anthropic"}} & set(sys.modules)
import anthropic, openai
from google import genai
with tracking.attribution(user="u1", trackable="Assignment:1", request_type="generate_rubric"):
    openai.OpenAI(base_url={url!r} + "/v1", api_key="k").chat.completions.create(model="gpt-4o", messages={messages})
    anthropic.Anthropic(base_url={url!r}, api_key="k").messages.create(
        model="claude-sonnet-5", max_tokens=9, messages={messages})
    client = genai.Client(api_key="k", http_options={{"base_url": {url!r}}})
    client.models.generate_content(model="gemini-2.5-flash", contents="hi")
handle.undo()
anthropic.Anthropic(base_url={url!r}, api_key="k").messages.create(
    model="claude-sonnet-5", max_tokens=9, messages={messages})
client.models.generate_content(model="gemini-2.5-flash", contents="hi")
import groq
groq.Groq(base_url={url!r}, api_key="k")
tracking.default_tracker().close()
captured = tracking.default_tracker().captured
print(captured.unread, captured.unattributed)
"""


def test_packages_imported_later_are_watched_until_it_is_undone(
    provider: ProviderServer, home: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("anthropic", "google.genai", "groq"):
        pytest.importorskip(package)
    provider.on("/v1/chat/completions", json_answer(chat()))
    provider.on("/v1/messages", json_answer(MESSAGE))
    provider.on(":generateContent", json_answer(GEMINI))
    monkeypatch.setenv("LLM_COST_HOME", str(home))
    done = run(LATER, url=provider.url, messages=json.dumps(MESSAGES[1:]))
    assert done.returncode == 0, done.stderr[-2000:]
    assert [(row["provider"], row["user_id"]) for row in rows()] == [
        ("openai", "u1"),
        ("anthropic", "u1"),
        ("google", "u1"),
    ]
    assert done.stdout.split() == ["0", "0"]


def ask(client: Any) -> None:
    client.chat.completions.create(model="gpt-4o", messages=MESSAGES)


def test_packages_imported_before_are_watched_and_put_back(
    tracker: CostTracker, provider: ProviderServer, rows: Rows
) -> None:
    from openai._base_client import SyncAPIClient

    provider.on("/chat/completions", json_answer(chat()))
    made, finders = SyncAPIClient.__init__, list(sys.meta_path)
    with tracker.watch_everything() as handle:
        client = openai.OpenAI(base_url=provider.url, api_key="k")
        ask(client)
        ask(client.with_options(timeout=5))
    assert len(rows()) == 2
    assert (SyncAPIClient.__init__, sys.meta_path) == (made, finders)
    ask(client)
    ask(openai.OpenAI(base_url=provider.url, api_key="k"))
    handle.undo()
    assert len(rows()) == 2


def test_a_client_watched_by_itself_and_with_everything_makes_one_row_a_call(
    tracker: CostTracker, provider: ProviderServer, rows: Rows
) -> None:
    provider.on("/chat/completions", json_answer(chat()))
    with tracker.watch_everything(), tracker.watch_everything():
        ask(tracker.watch(openai.OpenAI(base_url=provider.url, api_key="k")))
    assert len(rows()) == 1


def test_of_boto3s_clients_those_of_models_are_watched(tracker: CostTracker) -> None:
    boto3 = pytest.importorskip("boto3")
    keys = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "s"}
    with tracker.watch_everything():
        assert "_llm_cost_patches" not in vars(boto3.client("sqs", **keys))
        assert "_llm_cost_patches" in vars(boto3.client("bedrock-runtime", **keys))
    assert tracker.captured.unread == 0


def test_it_is_the_process_wide_trackers_where_no_tracker_is_named(
    provider: ProviderServer, home: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_COST_HOME", str(home))
    provider.on("/chat/completions", json_answer(chat()))
    with tracking.watch_everything():
        ask(openai.OpenAI(base_url=provider.url, api_key="k"))
    tracking.default_tracker().close()
    assert len(rows()) == 1
