"""`CostLogger`: every call LiteLLM makes is one row, over a watched client too."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from captured_answers import COUNTS, MESSAGES, chat, chat_chunks, sse
from provider_server import ProviderServer, json_answer

import tracking
from tracking import CostTracker

pytestmark = pytest.mark.slow  # importing LiteLLM takes seconds

Rows = Callable[[], list[dict[str, Any]]]
WHO: dict[str, Any] = {"user": "teacher-1", "trackable": ("Assignment", 42), "request_type": "generate_rubric"}


@pytest.fixture
def litellm(tracker: CostTracker, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm = pytest.importorskip("litellm")
    from tracking.capture.frameworks.litellm import CostLogger

    before = litellm.callbacks
    litellm.callbacks = [CostLogger(tracker)]
    yield litellm
    litellm.callbacks = before
    for each in ("success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback"):
        setattr(litellm, each, [])
    litellm.input_callback = []


def eventually(rows: Rows, number: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 10
    while len(rows()) < number and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)  # for one too many
    return rows()


def asked(provider: ProviderServer, **more: Any) -> dict[str, Any]:
    address = {"api_base": provider.url, "api_key": "k", "num_retries": 0, "max_retries": 0}
    return {"model": "openai/gpt-4o", "messages": MESSAGES, **address, **more}


@pytest.mark.parametrize("how", ["plain", "stream", "async", "async stream"])
@pytest.mark.parametrize("watched", [False, True])
def test_a_call_is_one_row(
    litellm: Any, tracker: CostTracker, provider: ProviderServer, rows: Rows, how: str, watched: bool
) -> None:
    streamed = how.endswith("stream")
    provider.on("/chat/completions", sse(chat_chunks()) if streamed else json_answer(chat()))
    options = asked(provider, stream=streamed, **({"stream_options": {"include_usage": True}} if streamed else {}))

    async def use() -> None:
        answer = await litellm.acompletion(**options)
        if streamed:
            assert [chunk async for chunk in answer]
        await asyncio.sleep(0.5)  # LiteLLM logs in tasks of the loop

    litellm.in_memory_llm_clients_cache.flush_cache()
    watching = tracker.watch_everything() if watched else None
    with tracking.attribution(**WHO):
        if how.startswith("async"):
            asyncio.run(use())
        else:
            answer = litellm.completion(**options)
            assert not streamed or list(answer)
    (row,) = eventually(rows, 1)
    if watching is not None:
        watching.undo()
    assert (row["provider"], row["input_tokens"], row["output_tokens"], row["status"]) == ("openai", *COUNTS, "ok")
    assert (row["user_id"], row["request_type"]) == ("teacher-1", "generate_rubric")
    assert "Four criteria?" in row["prompt"]


def test_a_call_that_fails_is_one_row(litellm: Any, provider: ProviderServer, rows: Rows) -> None:
    provider.on("/chat/completions", json_answer({"error": {"message": "no"}}, 400))
    with tracking.attribution(**WHO), pytest.raises(litellm.BadRequestError):
        litellm.completion(**asked(provider))
    (row,) = eventually(rows, 1)
    assert (row["provider"], row["model"], row["status"], row["user_id"]) == ("openai", "gpt-4o", "error", "teacher-1")
