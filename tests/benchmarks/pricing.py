"""One answer: extraction and price, and the whole of `record()`."""

import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from tests.benchmarks.timing import race, ratios, table
from tracking import CostCalculator, CostTracker, LLMResponse
from tracking.journal import encode_line
from tracking.request_type import RequestType
from tracking.row import attribution_of, build_record, instant_of_call

OPENAI: dict[str, Any] = {
    "id": "chatcmpl-CkV2n6T9Zb1yq0",
    "object": "chat.completion",
    "created": 1793016000,
    "model": "gpt-5-mini-2025-08-07",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Four criteria. " * 20, "refusal": None, "annotations": []},
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 1200,
        "completion_tokens": 340,
        "total_tokens": 1540,
        "prompt_tokens_details": {"cached_tokens": 800, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 0},
    },
    "service_tier": "default",
}
PROMPT = [{"role": "system", "content": "You grade essays."}, {"role": "user", "content": "Write a rubric. " * 30}]

LITELLM_IS_HERE = find_spec("litellm") is not None
NO_LITELLM = {} if LITELLM_IS_HERE else {"LiteLLM": "not installed"}


def run() -> None:
    from openai.types.chat import ChatCompletion

    sdk_object = ChatCompletion.model_validate(OPENAI)
    for shape, answer in (("dict", OPENAI), ("SDK object", sdk_object)):
        timings = race({"ours": _ours(answer), **_peers(answer)})
        ratios(f"extraction + price of an OpenAI chat {shape}", timings, NO_LITELLM)
    with tempfile.TemporaryDirectory() as home, CostTracker(home) as tracker:
        for shape, answer in (("dict", OPENAI), ("SDK object", sdk_object)):
            timings = race({"record()": lambda answer=answer: _record(tracker, answer), **_peers(answer)})
            ratios(f"the whole of record() of an OpenAI chat {shape}, against extraction + price", timings, NO_LITELLM)
        _breakdown(tracker, sdk_object)


def _ours(answer: object) -> Callable[[], object]:
    calculator = CostCalculator()
    return lambda: calculator.cost(LLMResponse.from_provider(answer, provider="openai")).usd


def _peers(answer: Any) -> dict[str, Callable[[], object]]:
    """The same from genai-prices, which takes bodies, and from LiteLLM, which takes either."""
    from genai_prices import extract_usage

    def genai_prices() -> object:
        body = answer if isinstance(answer, dict) else answer.model_dump()
        return extract_usage(body, provider_id="openai", api_flavor="chat").calc_price().total_price

    if not LITELLM_IS_HERE:
        return {"genai-prices": genai_prices}
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or else it looks for a newer one on the network
    import litellm

    return {
        "genai-prices": genai_prices,
        "LiteLLM": lambda: litellm.completion_cost(completion_response=answer),
    }


def _record(tracker: CostTracker, answer: object) -> object:
    return tracker.record(
        llm_response=answer,
        provider="openai",
        user="teacher-17",
        trackable=("Assignment", 42),
        request_type="generate_rubric",
        prompt=PROMPT,
    )


def _breakdown(tracker: CostTracker, answer: object) -> None:
    """The steps of `record()`, each alone. They need not add up: a step alone has the processor's cache to itself."""
    options: Any = {"provider": "openai"}
    calculator = tracker._calculator
    response = LLMResponse.from_provider(answer, provider="openai")
    at = instant_of_call(None)
    cost = calculator.cost(response, at=at)
    trace = tracker._prompts.trace(PROMPT)
    kinds = tracker._request_types
    named = {"request_type": RequestType.of("generate_rubric", kinds)}
    who = attribution_of("teacher-17", ("Assignment", 42), options) | named
    record = build_record(response, cost, trace, who, at, options)
    line = encode_line(record.model_dump_json().encode())
    fields = record.model_dump()
    steps = race(
        {
            "record()": lambda: _record(tracker, answer),
            "extraction": lambda: LLMResponse.from_provider(answer, provider="openai"),
            "price": lambda: calculator.cost(response, at=at),
            "prompt: text and keyed hashes": lambda: tracker._prompts.trace(PROMPT),
            "attribution": lambda: attribution_of("teacher-17", ("Assignment", 42), options),
            "row: ids, rounding, validation": lambda: build_record(response, cost, trace, who, at, options),
            "  of which validation": lambda: type(record)(**fields),
            "serialising": lambda: record.model_dump_json().encode(),
            "checksum": lambda: encode_line(line),
            "write": lambda: tracker._journal.append(line),
        }
    )
    whole = steps["record()"]
    parts = sum(seconds for name, seconds in steps.items() if name != "record()" and not name.startswith(" "))
    table(
        "where record() spends its time",
        ("", "µs", "share"),
        [(name, f"{seconds * 1e6:.1f}", f"{seconds / whole:.0%}") for name, seconds in steps.items()]
        + [("the rest", f"{(whole - parts) * 1e6:.1f}", f"{(whole - parts) / whole:.0%}")],
    )
