"""Tools that a provider ran itself, which are billed beside the tokens: searches, containers, pictures."""

import json
from collections import Counter
from typing import Any

import pytest
from answer_bodies import chat, gemini, item, message, responses, units
from hypothesis import given
from hypothesis import strategies as st

from tracking import LLMResponse, Usage
from tracking.answers.streams import StreamReader

SEARCH = item("web_search_call", action={"type": "search", "query": "q"})
OPENED = item("web_search_call", action={"type": "open_page", "url": "u"})
FOUND = item("web_search_call", action={"type": "find_in_page", "pattern": "p"})


@given(st.lists(st.sampled_from([SEARCH, OPENED, FOUND, item("function_call"), item("reasoning"), item("mcp_call")])))
def test_of_web_searches_the_action_search_alone_is_billed(output: list[dict[str, Any]]) -> None:
    searches = Counter(map(json.dumps, output))[json.dumps(SEARCH)]
    assert units(responses(*output), "openai") == ({"web_searches": searches} if searches else {})


def test_a_tool_that_came_to_nothing_is_not_billed_and_a_search_of_before_actions_were_told_is() -> None:
    for status in ("failed", "in_progress", "searching"):
        assert units(responses(SEARCH | {"status": status}), "openai") == {}
    assert units(responses(item("web_search_call")), "openai") == {"web_searches": 1}


def test_the_other_hosted_tools_of_a_response() -> None:
    files = [item("file_search_call")] * 2
    code = [item("code_interpreter_call", container_id=container) for container in ("c1", "c1", "c2")]
    image = {"image_gen": {"input_tokens": 50, "output_tokens": 1000}, "web_search": {"num_requests": 0}}
    body = responses(*files, *code, item("image_generation_call"), tool_usage=image)
    assert units(body, "openai") == {
        "storage_searches": 2,
        "code_interpreter_sessions": 2,
        "image_generations": 1,
        "image_generation_input_tokens": 50,
        "image_generation_output_tokens": 1000,
    }


def test_the_tools_of_a_response_that_broke_off_are_counted_as_far_as_they_came() -> None:
    events = [
        {"type": "response.created", "response": {"id": "a", "model": "gpt-5-mini"}},
        {"type": "response.output_item.done", "item": SEARCH},
        {"type": "response.output_item.done", "item": OPENED},
        {"type": "response.output_text.delta", "delta": "hello"},
    ]
    response = LLMResponse.from_stream(events, provider="openai")
    assert (response.status, response.usage) == ("partial", Usage(output_tokens=2, other_units={"web_searches": 1}))


def test_xais_tools_are_counted_by_number_and_once() -> None:
    details = {"web_search_calls": 3, "x_search_calls": 1, "code_interpreter_calls": 2, "mcp_calls": 4}
    body = responses(SEARCH, usage={"server_side_tool_usage_details": details})
    assert units(body, "x-ai") == {"web_searches": 3, "social_searches": 1, "code_executions": 2}


@pytest.mark.parametrize(
    ("model", "searches"), [("gpt-4o-search-preview", 1), ("gpt-5-search-api", 1), ("gpt-4o", None)]
)
def test_models_that_search_at_each_call_of_chat_completions(model: str, searches: int | None) -> None:
    assert units(chat(model), "openai").get("web_searches") == searches


def test_groqs_systems_tell_the_tools_they_ran() -> None:
    tools = [{"type": "search"}, {"type": "visit"}, {"type": "python"}]
    body = chat("groq/compound") | {"choices": [{"message": {"executed_tools": tools}}]}
    assert units(body, "groq") == {"web_searches": 1, "code_executions": 1}


@pytest.mark.parametrize("name", ["server_tool_use", "server_tool_use_details"])
@pytest.mark.parametrize("provider", ["openrouter", "anthropic", "acme"])
def test_searches_that_usage_counts(name: str, provider: str) -> None:
    told = {name: {"web_search_requests": 2, "tool_calls_requested": 2, "tool_calls_executed": 2}}
    assert units(chat(**told), provider) == units(message(**told), provider) == {"web_searches": 2}


QUERIES = {"webSearchQueries": ["a", "b", "a", "", " "], "groundingChunks": [{"web": {"uri": "u"}}]}


@pytest.mark.parametrize(
    ("model", "grounding", "expected"),
    [
        ("gemini-3.1-pro-preview", QUERIES, {"web_searches": 2}),
        ("models/gemini-2.5-flash", QUERIES, {"web_searches": 1}),
        ("gemini-flash-latest", QUERIES, {"web_searches": 2}),
        ("gemini-2.5-pro", {"groundingChunks": [{"web": {"uri": "u"}}]}, {"web_searches": 1}),
        ("gemini-3-flash-preview", {"groundingChunks": [{"retrievedContext": {"title": "t"}}]}, {}),
        ("gemini-2.5-flash", {"groundingChunks": [{"maps": {"uri": "u"}}]}, {"maps_searches": 1}),
        ("gemini-3-flash-preview", {}, {}),
    ],
)
def test_grounded_answers_of_gemini(model: str, grounding: dict[str, Any], expected: dict[str, int]) -> None:
    """Each unique query is billed since Gemini 3, a grounded prompt before; files of one's own are not."""
    assert units(gemini(model, grounding)) == expected
    last = gemini(model) | {"candidates": [{"finishReason": "STOP"}]}
    streamed = LLMResponse.from_stream([gemini(model, grounding), gemini(model, grounding), last])
    assert streamed.usage.other_units == expected


def test_what_was_searched_for_is_not_kept_of_a_stream() -> None:
    reader = StreamReader("google")
    reader.feed(gemini("gemini-3-flash-preview", {"webSearchQueries": ["canary"]}))
    assert "canary" not in repr(vars(reader))


def test_an_interaction_of_gemini_is_billed_by_the_queries_of_its_steps() -> None:
    usage = {"total_input_tokens": 10, "total_output_tokens": 5, "total_tokens": 15}
    steps = [{"type": "google_search_call", "arguments": {"queries": ["a", "b", ""]}}, {"type": "google_search_result"}]
    body = {"id": "i", "object": "interaction", "model": "gemini-3-flash-preview", "steps": steps, "usage": usage}
    assert units(body, "google") == {"web_searches": 2}
    assert units(body | {"model": "gemini-2.5-flash"}, "google") == {"web_searches": 1}


def test_a_shell_in_a_container_is_billed_as_its_container_one_of_ones_own_is_not() -> None:
    hosted = item("shell_call", environment={"type": "container_reference", "container_id": "c1"})
    code = item("code_interpreter_call", container_id="c1")
    assert units(responses(hosted, hosted, code), "openai") == {"code_interpreter_sessions": 1}
    assert units(responses(item("shell_call", environment={"type": "local"})), "openai") == {}


def test_what_openrouter_did_itself_besides_searching_is_counted() -> None:
    used = {"tool_calls_executed": 3, "web_search_requests": 1}
    assert units(chat(server_tool_use_details=used), "openrouter") == {"web_searches": 1, "server_tool_calls": 2}
    message = {"message": {"annotations": [{"type": "file", "file": {}}, {"type": "url_citation"}]}}
    assert units(chat() | {"choices": [message]}, "openrouter") == {"parsed_files": 1}
