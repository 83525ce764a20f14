"""Bodies of answers, each of the least that its provider says."""

from typing import Any

from tracking import LLMResponse

CHAT_USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


def chat(model: str = "m", **usage: Any) -> dict[str, Any]:
    return {"id": "a", "model": model, "choices": [], "usage": CHAT_USAGE | usage}


def responses(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100} | fields.pop("usage", {})
    return {"id": "a", "object": "response", "model": "gpt-5-mini", "output": list(output), "usage": usage} | fields


def units(body: dict[str, Any], provider: str | None = None) -> dict[str, Any]:
    return dict(LLMResponse.from_provider(body, provider).usage.other_units)


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": "i", "type": kind, "status": "completed"} | fields


def gemini(model: str, *grounding: dict[str, Any], **usage: Any) -> dict[str, Any]:
    counts = {"promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10} | usage
    candidates = [{"groundingMetadata": each} for each in grounding]
    return {"modelVersion": model, "candidates": candidates, "usageMetadata": counts}


def message(**usage: Any) -> dict[str, Any]:
    counts = {"input_tokens": 200, "output_tokens": 10} | usage
    return {"type": "message", "model": "claude-opus-4-8", "stop_reason": "end_turn", "content": [], "usage": counts}
