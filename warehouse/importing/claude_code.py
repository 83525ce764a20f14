"""Session logs of Claude Code: `~/.claude/projects/<project>/<session>.jsonl`.

An answer stands there once a content block, each time with the counts so far, and again in every session that was
resumed or forked from its own; its message id is the same everywhere. A line that is no answer is no call.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracking import CostTrackingError, LLMResponse
from warehouse.importing.calls import BadLineError, SourceCall, with_stated_cost
from warehouse.importing.json_lines import JsonLine, first_object, json_lines, object_in

SYNTHETIC = "<synthetic>"
"""The model of what Claude Code says itself, such as the text of an API error."""
SELLERS = {"msg_bdrk_": "aws", "msg_vrtx_": "google-vertex"}
"""Whose API it was, by how its ids begin."""
OF_ANSWER = ("id", "type", "role", "model", "usage", "stop_reason")
"""All but what was said: a file's answers are held until its end."""


class ClaudeCodeSessions:
    """An answer is one call; its counts are those of its last line in the file."""

    @staticmethod
    def reads(file: Path) -> bool:
        return not first_object(file).keys().isdisjoint({"sessionId", "leafUuid"})

    def check(self, file: Path) -> None:
        """A session may go on: what is cut off at its end is no call yet."""

    def calls(self, file: Path) -> Iterator[SourceCall]:
        answers: dict[str, SourceCall] = {}
        for line in json_lines(file):
            call = _call_of(line)
            if call is not None and call.event is not None:
                answers[call.event] = call
            elif call is not None:
                yield call
        yield from answers.values()


def _call_of(line: JsonLine) -> SourceCall | None:
    try:
        entry = line.fields()
    except BadLineError as fault:
        return SourceCall(line.number, line.content, line.size, {}, fault) if line.is_whole else None
    answer = {name: value for name, value in object_in(entry.get("message")).items() if name in OF_ANSWER}
    if entry.get("type") != "assistant" or "usage" not in answer or answer.get("model") == SYNTHETIC:
        return None
    fields: dict[str, Any] = {
        "trackable": {"type": "Project", "id": entry["cwd"]} if entry.get("cwd") else None,
        "occurred_at": entry.get("timestamp"),
        "trace_id": entry.get("sessionId"),
        "tags": {"git_branch": entry["gitBranch"]} if entry.get("gitBranch") else None,
    }
    fault = None
    try:
        fields["response"] = with_stated_cost(LLMResponse.from_provider(answer, _seller(answer)), entry.get("costUSD"))
    except CostTrackingError as error:
        fault = error
    event = answer.get("id")
    return SourceCall(
        line.number, line.content, line.size, fields, fault, event if isinstance(event, str) and event else None
    )


def _seller(answer: dict[str, Any]) -> str:
    return next((seller for start, seller in SELLERS.items() if str(answer.get("id")).startswith(start)), "anthropic")
