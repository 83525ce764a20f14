"""What providers charge for searching beside their tokens, by what the answer says of it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tracking import Cost, CostCalculator, LLMResponse

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHAT_USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


def cost_of(body: dict[str, Any], provider: str) -> Cost:
    return CostCalculator().cost(LLMResponse.from_provider(body, provider), at=AT)


def chat(model: str, *choices: dict[str, Any], **usage: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "object": "chat.completion",
        "model": model,
        "choices": list(choices),
        "usage": CHAT_USAGE | usage,
    }


def searched(model: str, tool: str, *, item: str = "web_search_call") -> dict[str, Any]:
    usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
    output = [{"type": item, "status": "completed", "action": {"type": "search"}}]
    tools = [{"type": "function", "name": "f"}, {"type": tool}]
    return {"id": "a", "object": "response", "model": model, "output": output, "tools": tools, "usage": usage}


@pytest.mark.parametrize(
    ("model", "size", "usd"),
    [
        ("sonar", "low", "0.0061"),
        ("sonar", "medium", "0.0091"),
        ("sonar", "high", "0.0131"),
        ("sonar-pro", "low", "0.0105"),
        ("sonar-pro", "high", "0.0185"),
        ("sonar-reasoning-pro", "medium", "0.0128"),
    ],
)
def test_perplexity_charges_for_a_request_by_the_context_it_gathered(model: str, size: str, usd: str) -> None:
    cost = cost_of(chat(model, search_context_size=size), "perplexity")
    assert (cost.usd, cost.pricing_status) == (Decimal(usd), "priced")


def test_a_request_to_perplexity_of_unknown_context_has_the_least_fee_and_says_so() -> None:
    cost = cost_of(chat("sonar"), "perplexity")
    assert (cost.usd, cost.assumptions) == (Decimal("0.0061"), ({"standard_rate_for": "requests"},))


def test_deep_research_pays_for_its_queries_whatever_its_context() -> None:
    cost = cost_of(chat("sonar-deep-research", search_context_size="high", num_search_queries=3), "perplexity")
    assert (cost.usd, cost.pricing_status) == (Decimal("0.0178"), "priced")


@pytest.mark.parametrize(
    ("model", "tool", "usd"),
    [
        ("gpt-4o-2024-08-06", "web_search_preview", "0.0285"),
        ("gpt-4o-2024-08-06", "web_search_preview_2025_03_11", "0.0285"),
        ("gpt-4o-2024-08-06", "web_search", "0.0135"),
        ("gpt-4.1", "web_search_preview", "0.0278"),
        ("gpt-5", "web_search_preview", "0.01225"),
        ("o3", "web_search_preview", "0.0128"),
    ],
)
def test_openais_older_search_costs_more_with_models_that_do_not_reason(model: str, tool: str, usd: str) -> None:
    cost = cost_of(searched(model, tool), "openai")
    assert (cost.usd, cost.pricing_status) == (Decimal(usd), "priced")


def test_a_search_that_was_allowed_but_not_used_is_no_term_of_the_price() -> None:
    cost = cost_of(searched("gpt-4o", "web_search_preview", item="message"), "openai")
    assert (cost.usd, cost.pricing_status) == (Decimal("0.0035"), "priced")


def test_models_that_always_search() -> None:
    assert cost_of(chat("gpt-4o-mini-search-preview"), "openai").usd == Decimal("0.02521")
    assert cost_of(chat("gpt-4o-search-preview"), "openai").usd == Decimal("0.0285")
    assert cost_of(chat("perplexity/sonar"), "openrouter").usd == Decimal("0.0061")


def test_moonshots_own_search_is_called_like_a_tool() -> None:
    calls = [{"function": {"name": name, "arguments": "{}"}} for name in ("$web_search", "weather", "$web_search")]
    body = chat("kimi-k2.5", {"finish_reason": "tool_calls", "message": {"tool_calls": calls}})
    cost = cost_of(body, "moonshotai")
    assert cost.counts["web_searches"] == 2
    assert cost.usd - cost_of(chat("kimi-k2.5"), "moonshotai").usd == Decimal("0.01")


def test_an_answer_of_zai_that_lists_what_it_found_searched_once() -> None:
    found = chat("glm-4.6") | {"web_search": [{"title": "a"}, {"title": "b"}]}
    assert cost_of(found, "zai").usd - cost_of(chat("glm-4.6"), "zai").usd == Decimal("0.01")


def test_the_engine_that_searched_for_openrouter_is_not_told() -> None:
    cost = cost_of(chat("anthropic/claude-sonnet-4.5", server_tool_use={"web_search_requests": 2}), "openrouter")
    assert (cost.usd, cost.assumptions) == (Decimal("0.0245"), ({"standard_rate_for": "web_searches"},))


def test_what_is_free_at_openrouter_costs_nothing_plainly() -> None:
    for model in ("openai/gpt-oss-20b:free", "somebody/unheard-of:free"):
        cost = cost_of(chat(model), "openrouter")
        assert (cost.usd, cost.pricing_status) == (0, "priced")
