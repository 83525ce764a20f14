"""Watched clients that share, copy or inherit what others have: each keeps its own calls, and only those."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from captured_answers import MESSAGES, chat
from provider_server import ProviderServer, json_answer

from tracking import ArgumentError, CostTracker
from tracking.capture.watch import unwatch

openai = pytest.importorskip("openai")

Rows = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def client(tracker: CostTracker, provider: ProviderServer) -> Any:
    provider.on("/chat/completions", json_answer(chat()))
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k") as client:
        yield tracker.watch(client)


def ask(client: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o", messages=MESSAGES)


def test_one_of_two_that_share_an_http_client_is_still_watched_without_the_other(
    tracker: CostTracker, client: Any, rows: Rows
) -> None:
    before = client._client.send
    other = tracker.watch(openai.OpenAI(base_url=client.base_url, api_key="k", http_client=client._client))
    unwatch(client)
    ask(client)
    assert rows() == []
    ask(other)
    assert len(rows()) == 1
    unwatch(other)
    assert client._client.send != before


def test_a_copy_is_watched_by_itself(tracker: CostTracker, client: Any, rows: Rows) -> None:
    copied = client.with_options(timeout=5)
    assert tracker.watch(copied) is copied
    unwatch(copied)
    ask(copied)
    assert rows() == []
    ask(client)
    ask(client.copy().copy())
    assert len(rows()) == 2


def test_a_copy_is_its_originals_trackers(tracker: CostTracker, home: Any, client: Any, rows: Rows) -> None:
    with CostTracker(home.parent / "other") as other, other.watch_everything():
        ask(client.with_options(timeout=5))
        assert other.captured.unattributed == 0
    assert len(rows()) == 1


def test_a_shallow_copy_asks_as_itself(client: Any, provider: ProviderServer, rows: Rows) -> None:
    copied = copy.copy(client)
    copied.api_key = "another"
    ask(copied)
    ask(copied.with_options(timeout=5))
    assert [asked.headers["authorization"] for asked in provider.asked] == ["Bearer another"] * 2
    assert len(rows()) == 2


def test_a_subclass_sells_what_the_packages_own_class_does(
    tracker: CostTracker, client: Any, provider: ProviderServer, rows: Rows
) -> None:
    class AWSomeVertexClient(openai.OpenAI):
        pass

    class Grader(openai.AzureOpenAI):
        def request(self, *given: Any, **options: Any) -> Any:
            return super().request(*given, **options)

    ask(tracker.watch(AWSomeVertexClient(base_url=provider.url, api_key="k")))
    ask(tracker.watch(Grader(azure_endpoint=provider.url, api_key="k", api_version="2024-10-21")))
    assert [row["provider"] for row in rows()] == ["openai", "azure"]


def test_a_subclass_of_mistrals_client_is_watched_wherever_it_is_from(
    tracker: CostTracker, provider: ProviderServer, rows: Rows
) -> None:
    pytest.importorskip("mistralai")
    from mistralai.client import Mistral

    kind: Any = type("Grader", (Mistral,), {"__module__": "application"})
    provider.on("/chat/completions", json_answer(chat(model="mistral-large-latest")))
    client = tracker.watch(kind(server_url=provider.url, api_key="k"))
    client.chat.complete(model="mistral-large-latest", messages=MESSAGES)
    assert [row["provider"] for row in rows()] == ["mistral"]


def test_a_client_that_we_fail_on_is_made_all_the_same(
    tracker: CostTracker, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise IndexError

    monkeypatch.setattr("tracking.capture.clients.stainless.watch_http_client", fails)
    with tracker.watch_everything():
        made = openai.OpenAI(base_url=provider.url, api_key="k")
    assert tracker.captured.unread == 1
    with pytest.raises(ArgumentError, match="of a version that cannot be watched"):
        tracker.watch(made)
