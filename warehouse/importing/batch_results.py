"""Results of batches, as OpenAI and Anthropic give them in a file of JSON lines.

OpenAI: `{"id", "custom_id", "response": {"status_code", "body"}}`; Anthropic: `{"custom_id", "result": {"type",
"message"}}`. Requests that failed, expired or were cancelled are not billed, and are no calls.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracking import CostTrackingError, LLMResponse
from warehouse.importing.calls import BadLineError, SourceCall
from warehouse.importing.json_lines import JsonLine, check_last_line, first_object, json_lines, object_in

BATCH = {"processing": "batch"}


class BatchResults:
    """A result that succeeded is one call, at the price of batches; its `custom_id` is a tag."""

    @staticmethod
    def reads(file: Path) -> bool:
        first = first_object(file)
        return "custom_id" in first and not first.keys().isdisjoint({"response", "result"})

    def check(self, file: Path) -> None:
        check_last_line(file)

    def calls(self, file: Path) -> Iterator[SourceCall]:
        for line in json_lines(file):
            call = _call_of(line)
            if call is not None:
                yield call


def _call_of(line: JsonLine) -> SourceCall | None:
    try:
        result = line.fields()
    except BadLineError as fault:
        return SourceCall(line.number, line.content, line.size, {}, fault)
    provider, answer = _answer_of(result)
    if answer is None:
        return None
    fields: dict[str, Any] = {"tags": {"custom_id": str(result["custom_id"])}, "provider": provider}
    fault = None
    try:
        response = LLMResponse.from_provider(answer, provider=provider)
        fields["response"] = replace(response, price_context={**response.price_context, **BATCH})
    except CostTrackingError as error:
        fault = error
    event = result.get("id")
    return SourceCall(
        line.number, line.content, line.size, fields, fault, event if isinstance(event, str) and event else None
    )


def _answer_of(result: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    if "result" in result:
        outcome = object_in(result["result"])
        return "anthropic", object_in(outcome.get("message")) if outcome.get("type") == "succeeded" else None
    response = object_in(result.get("response"))
    return "openai", object_in(response.get("body")) if response.get("status_code") == 200 else None
