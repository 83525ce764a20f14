"""One answer: extraction and price, and the whole of `record()`."""

import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

from tests.benchmarks.timing import race, ratios, table
from tracking import CostCalculator, CostTracker, LLMResponse, LLMUsageRecord
from tracking.journal.writer import record_line
from tracking.rows.build import attribution_of, build_record, instant_of_call
from tracking.rows.request_type import RequestType

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
RESPONSES: dict[str, Any] = {
    "id": "resp_68b0c14a7f2c",
    "object": "response",
    "created_at": 1793016000,
    "status": "completed",
    "model": "gpt-5-mini-2025-08-07",
    "output": [
        {"type": "reasoning", "id": "rs_68b0c14b", "summary": []},
        {
            "type": "message",
            "id": "msg_68b0c14c",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Four criteria. " * 20, "annotations": []}],
        },
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "service_tier": "default",
    "usage": {
        "input_tokens": 1200,
        "input_tokens_details": {"cached_tokens": 800, "cache_write_tokens": 0},
        "output_tokens": 340,
        "output_tokens_details": {"reasoning_tokens": 128},
        "total_tokens": 1540,
    },
}
OPENROUTER: dict[str, Any] = {
    **OPENAI,
    "id": "gen-1793016000-CkV2n6T9Zb1yq0",
    "provider": "OpenAI",
    "model": "openai/gpt-5-mini",
    "service_tier": None,
    "usage": {
        **OPENAI["usage"],
        "cost": 0.00082,
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": None, "upstream_inference_prompt_cost": 0.0003},
    },
}
PROMPT = [{"role": "system", "content": "You grade essays."}, {"role": "user", "content": "Write a rubric. " * 30}]

CALLS = 5000
Result = TypeVar("Result")

LITELLM_IS_HERE = find_spec("litellm") is not None
NO_LITELLM = {} if LITELLM_IS_HERE else {"LiteLLM": "not installed"}


def run() -> None:
    from openai.types.chat import ChatCompletion
    from openai.types.responses import Response

    sdk_object = ChatCompletion.model_validate(OPENAI)
    for shape, answer in (("dict", OPENAI), ("SDK object", sdk_object)):
        timings = race({"ours": _ours(answer), **_peers(answer)})
        ratios(f"extraction + price of an OpenAI chat {shape}", timings, NO_LITELLM)
    for shape, provider, flavor, answer in (
        ("a Responses dict", "openai", "responses", RESPONSES),
        ("a Responses SDK object", "openai", "responses", Response.model_validate(RESPONSES)),
        ("an OpenRouter dict", "openrouter", "chat", OPENROUTER),
    ):
        timings = race({"ours": _ours(answer, provider), "genai-prices": _genai_prices(answer, provider, flavor)})
        ratios(f"extraction + price of {shape}", timings)
    with tempfile.TemporaryDirectory() as home, CostTracker(home) as tracker:
        for shape, answer in (("dict", OPENAI), ("SDK object", sdk_object)):
            timings = race({"record()": lambda answer=answer: _record(tracker, answer), **_peers(answer)})
            ratios(f"the whole of record() of an OpenAI chat {shape}, against extraction + price", timings, NO_LITELLM)
        answers = {"OpenAI chat": OPENAI, "Responses": RESPONSES}
        timings = race({name: lambda answer=answer: _record(tracker, answer) for name, answer in answers.items()})
        ratios("the whole of record() by what answered", timings)
        _breakdown(tracker, sdk_object)


def _ours(answer: object, provider: str = "openai") -> Callable[[], object]:
    calculator = CostCalculator()
    return lambda: calculator.cost(LLMResponse.from_provider(answer, provider=provider)).usd


def _genai_prices(answer: Any, provider: str, flavor: str) -> Callable[[], object]:
    """The same from genai-prices, which takes bodies."""
    from genai_prices import extract_usage

    def price() -> object:
        body = answer if isinstance(answer, dict) else answer.model_dump()
        return extract_usage(body, provider_id=provider, api_flavor=flavor).calc_price().total_price

    return price


def _peers(answer: Any) -> dict[str, Callable[[], object]]:
    """The same from genai-prices, and from LiteLLM, which takes bodies and objects."""
    genai_prices = _genai_prices(answer, "openai", "chat")
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
    """What `record()` does, step by step in its own order: a step repeated alone would be faster than it is there."""
    options: Any = {"provider": "openai"}
    seconds: dict[str, list[float]] = {}
    for _ in range(CALLS):
        clock = _Clock(seconds)
        response = clock("extraction", LLMResponse.from_provider(answer, provider="openai"))
        at = instant_of_call(None)
        cost = clock("price", tracker._calculator.cost(response, at=at))
        prompt = clock("prompt: text and keyed hashes", tracker._prompts.trace(PROMPT))
        kind = {"request_type": RequestType.of("generate_rubric", tracker._request_types)}
        who = clock("attribution", attribution_of("teacher-17", ("Assignment", 42), options) | kind)
        record = clock("row: ids, rounding, validation", build_record(response, cost, prompt, who, at, options))
        line = clock("serialising, checksum", record_line(record, prompt.text))
        clock("write", tracker._journal.append(line))
        clock("remembering the caller's objects", record.attach(user=1, trackable=2, prompt=PROMPT))
        fields = record.model_dump()
        clock.restart()
        clock("(validation, once more)", LLMUsageRecord(**fields))
    steps = {name: median(each) for name, each in seconds.items()}
    whole = sum(each for name, each in steps.items() if not name.startswith("("))
    rows = [(name, f"{each * 1e6:.1f}", f"{each / whole:.0%}") for name, each in steps.items()]
    table("where record() spends its time", ("", "µs", "share"), [*rows, ("together", f"{whole * 1e6:.1f}", "100%")])


class _Clock:
    """Called with what was just computed, it notes the time since it was last called."""

    def __init__(self, seconds: dict[str, list[float]]) -> None:
        self._seconds = seconds
        self.restart()

    def restart(self) -> None:
        self._last = perf_counter()

    def __call__(self, step: str, result: Result) -> Result:
        self._seconds.setdefault(step, []).append(perf_counter() - self._last)
        self._last = perf_counter()
        return result
