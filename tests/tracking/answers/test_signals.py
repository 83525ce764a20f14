"""What an answer says is billed beside its own tokens, and what each provider says in words of its own."""

from decimal import Decimal
from typing import Any

import pytest
from answer_bodies import chat, gemini, item, message, responses, units

from tracking import LLMResponse, Usage

TURN = {"type": "message", "model": "claude-opus-4-8", "input_tokens": 200, "output_tokens": 10}
COMPACTION = {
    "type": "compaction",
    "input_tokens": 100,
    "cache_creation_input_tokens": 5000,
    "cache_read_input_tokens": 700,
    "cache_creation": {"ephemeral_5m_input_tokens": 3000, "ephemeral_1h_input_tokens": 2000},
    "output_tokens": 80,
}


def test_a_compaction_is_billed_beside_the_top_of_usage() -> None:
    expected = Usage(
        input_tokens=6000,
        cache_read_tokens=700,
        cache_write_tokens=5000,
        cache_write_1h_tokens=2000,
        output_tokens=90,
        other_units={"cache_write_5m_tokens": 3000},
    )
    assert LLMResponse.from_provider(message(iterations=[COMPACTION, TURN])).usage == expected
    start = {"type": "message_start", "message": message(cache_read_input_tokens=5700, output_tokens=1)}
    delta = {"input_tokens": 200, "cache_read_input_tokens": 0, "output_tokens": 10, "iterations": [COMPACTION, TURN]}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": delta}
    assert LLMResponse.from_stream([start, end]).usage == expected


def test_what_other_models_did_is_counted_apart_unless_it_was_declined_before_any_output() -> None:
    declined = {"type": "message", "model": "claude-fable-5", "input_tokens": 2, "output_tokens": 578}
    advisor = {"type": "advisor_message", "model": "claude-opus-5", "input_tokens": 30, "output_tokens": 4}
    turns = [declined, declined | {"output_tokens": 0}, advisor, TURN, TURN | {"type": "fallback_message"}]
    usage = LLMResponse.from_provider(message(iterations=turns)).usage
    assert (usage.input_tokens, usage.output_tokens) == (200, 10)
    assert usage.other_units == {
        "declined_input_tokens": 2,
        "declined_output_tokens": 578,
        "advisor_input_tokens": 30,
        "advisor_output_tokens": 4,
    }


def test_a_request_declined_before_any_output_is_not_billed() -> None:
    refused = message(output_tokens=0, cache_read_input_tokens=90) | {"stop_reason": "refusal"}
    assert LLMResponse.from_provider(refused).usage == Usage(input_tokens=0, cache_read_tokens=0, output_tokens=0)
    midway = message(output_tokens=7) | {"stop_reason": "refusal"}
    assert LLMResponse.from_provider(midway).usage.input_tokens == 200


@pytest.mark.parametrize(
    ("usage", "tier"),
    [
        ({"trafficType": "ON_DEMAND"}, "on_demand"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, "provisioned_throughput"),
        ({"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, None),
        ({"serviceTier": "flex", "trafficType": "ON_DEMAND"}, "flex"),
        ({}, None),
    ],
)
def test_geminis_tier_is_told_as_a_kind_of_traffic_too(usage: dict[str, str], tier: str | None) -> None:
    assert LLMResponse.from_provider(gemini("gemini-2.5-flash", **usage)).service_tier == tier


def test_bedrocks_tier_and_latency_and_what_its_headers_tell() -> None:
    usage = {"inputTokens": 9, "outputTokens": 1, "totalTokens": 10}
    body = {"usage": usage, "serviceTier": {"type": "flex"}, "performanceConfig": {"latency": "optimized"}}
    converse = LLMResponse.from_provider(body, model="m")
    assert converse.price_context == {"service_tier": "flex", "latency": "optimized"}
    names = {"input-token-count": "30", "output-token-count": "200", "service-tier": "priority"}
    metadata = {"RequestId": "r-1", "HTTPHeaders": {f"x-amzn-bedrock-{name}": value for name, value in names.items()}}
    outer = {"body": {"outputs": [{"text": "hi", "stop_reason": "stop"}]}, "ResponseMetadata": metadata}
    invoked = LLMResponse.from_provider(outer, "aws", "mistral.mistral-7b-instruct-v0:2")
    assert (invoked.usage, invoked.service_tier) == (Usage(input_tokens=30, output_tokens=200), "priority")
    assert (invoked.id, invoked.finish_reason) == ("r-1", "stop")


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost": 0.00044, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.00044}}, "0.00044"),
        ({"cost": 0.000225, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0045}}, "0.004725"),
        ({"cost": None, "is_byok": True}, None),
        ({}, None),
    ],
)
def test_with_ones_own_key_openrouters_cost_is_its_fee_and_the_upstreams_bill(
    usage: dict[str, Any], cost: str | None
) -> None:
    told = LLMResponse.from_provider(chat(**usage), "openrouter").provider_cost
    assert told == (None if cost is None else Decimal(cost))


def test_xai_states_its_cost_in_ticks() -> None:
    assert LLMResponse.from_provider(chat(cost_in_usd_ticks=37756000), "x-ai").provider_cost == Decimal("0.0037756")


@pytest.mark.parametrize("name", ["prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"])
@pytest.mark.parametrize("provider", ["deepseek", "moonshotai", "mistral", "together", "acme", "openai"])
def test_cached_tokens_by_the_names_hosts_give_them_are_counted_once(provider: str, name: str) -> None:
    for details in ({}, {"cached_tokens": 800}, {"cached_tokens": 0}):
        usage = LLMResponse.from_provider(chat(**{name: 800}, prompt_tokens_details=details), provider).usage
        assert usage == Usage(input_tokens=1000, cache_read_tokens=800, output_tokens=100)


def test_gemini_live_counts_its_answer_by_another_name_and_its_thoughts_beside_the_total() -> None:
    counts = {"promptTokenCount": 417, "responseTokenCount": 74, "thoughtsTokenCount": 77, "totalTokenCount": 491}
    usage = counts | {"responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 74}]}
    response = LLMResponse.from_provider({"serverContent": {"turnComplete": True}, "usageMetadata": usage}, model="m")
    expected = {"input_tokens": 417, "output_tokens": 151, "reasoning_tokens": 77}
    assert response.usage == Usage(**expected, other_units={"output_audio_tokens": 74})
    assert response.assumptions == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"prompt_eval_count": 26, "eval_count": 298, "done": True}, (26, 298)),
        ({"embeddings": [[0.1]], "prompt_eval_count": 8}, (8, None)),
        ({"metrics": {"input_token_count": 30, "output_token_count": 512}}, (30, 512)),
        ({"results": [{"generated_token_count": 20, "input_token_count": 7}]}, (7, 20)),
        ({"num_tokens_prompt_total": 9, "num_tokens_generated": 100}, (9, 100)),
    ],
)
def test_interfaces_of_hosts_that_copy_nobodys(body: dict[str, Any], expected: tuple[int, int | None]) -> None:
    usage = LLMResponse.from_provider(body, "acme", "m").usage
    assert (usage.input_tokens, usage.output_tokens) == expected


def test_lines_of_batches_at_bedrock_and_vertex() -> None:
    for line in (
        {"recordId": "1", "modelInput": {}, "modelOutput": message()},
        {"custom_id": "a", "request": {}, "response": message()},
    ):
        response = LLMResponse.from_provider(line, "aws")
        assert (response.price_context, response.usage.input_tokens) == ({"processing": "batch"}, 200)


def test_an_answer_that_counts_only_what_it_was_sent_has_its_text_counted_and_says_so() -> None:
    body = {"output": {"message": {"content": [{"text": "Four criteria"}]}}, "usage": {"inputTokens": 30}}
    response = LLMResponse.from_provider(body, model="amazon.nova-lite-v1:0")
    assert (response.usage, response.estimated) == (Usage(input_tokens=30, output_tokens=4), True)
    assert response.assumptions == ({"tokens_from_text": ["output"]},)


def test_an_answer_that_is_pictures_has_made_nothing_else_unless_it_says_so() -> None:
    usage = {"input_tokens": 50, "output_tokens": 1000, "total_tokens": 1050}
    made = {"created": 1, "data": [{"b64_json": ""}], "model": "gpt-image-1.5", "usage": usage}
    assert units(made, "openai") == {"output_image_tokens": 1000}
    divided = usage | {"output_tokens_details": {"image_tokens": 900, "text_tokens": 100}}
    assert units(made | {"usage": divided}, "openai")["output_image_tokens"] == 900


def test_pictures_that_are_embedded_are_counted_apart() -> None:
    usage = {"text_tokens": 10, "image_pixels": 200_000, "total_tokens": 367}
    body = {"object": "list", "data": [], "model": "voyage-multimodal-3", "usage": usage}
    voyage = LLMResponse.from_provider(body, "voyageai").usage
    assert (voyage.input_tokens, voyage.other_units) == (10, {"input_pixels": 200_000})
    cohere = {"id": "1", "embeddings": {}, "meta": {"billed_units": {"images": 2}}}
    assert units(cohere, "cohere") == {"input_images": 2}


def test_counts_by_names_that_few_use() -> None:
    native = {
        "input_tokens": 10,
        "output_tokens": 20,
        "total_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 5},
    }
    assert LLMResponse.from_provider({"output": {"text": "x"}, "usage": native}, "alibaba").usage.cache_read_tokens == 5
    results = [{"generated_token_count": 20, "input_token_count": 10}]
    assert LLMResponse.from_provider({"model_id": "ibm/granite", "results": results}, "watsonx").model == "ibm/granite"
    assert units({"text": "x", "duration": 8.5, "x_groq": {"id": "r"}}, "groq") == {"audio_seconds": Decimal("8.5")}


CODE = item("code_interpreter_call", container_id="c")
IMAGE = {"tool_usage": {"image_gen": {"input_tokens": 5, "output_tokens": 6}}}
MAPS = [{"groundingMetadata": {"groundingChunks": [{"maps": {"uri": "u"}}]}}]
GEMINI = {"promptTokenCount": 100, "candidatesTokenCount": 50, "totalTokenCount": 500}
ADVICE = [{"type": "advisor_message", "model": "claude-opus-5", "input_tokens": 500, "output_tokens": 200}]
ADVISED = {"input_tokens": 9, "output_tokens": 60, "iterations": ADVICE}
ADVISED |= {"output_tokens_details": {"thinking_tokens": 90}}
CLAUDE = {"id": "msg_1", "type": "message", "model": "claude-sonnet-5", "usage": ADVISED}
USED = {"tool_calls_executed": 2}


@pytest.mark.parametrize(
    ("body", "provider", "unit"),
    [
        (responses(CODE, usage={"total_tokens": 9000}), "openai", "code_interpreter_sessions"),
        (responses(usage={"total_tokens": 9000}, **IMAGE), "openai", "image_generation_input_tokens"),
        ({"modelVersion": "gemini-2.5-flash", "candidates": MAPS, "usageMetadata": GEMINI}, "google", "maps_searches"),
        (CLAUDE, None, "advisor_input_tokens"),
        (chat(total_tokens=9000, server_tool_use_details=USED), "openrouter", "server_tool_calls"),
    ],
)
def test_an_answer_that_contradicts_itself_is_read_whatever_it_is_billed_by(
    body: dict[str, Any], provider: str | None, unit: str
) -> None:
    response = LLMResponse.from_provider(body, provider)
    assert response.usage.other_units[unit]
    assert any("totals_disagree" in each for each in response.assumptions)
    Usage(other_units=response.usage.other_units)  # as when it is replayed
