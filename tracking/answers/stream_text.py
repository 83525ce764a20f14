"""How much text a stream has brought, in characters: of answers, thoughts, refusals and calls of tools."""

from collections.abc import Iterable

from tracking.answers.fields import fields_of, inside, listed

DELTA_TEXTS = ("content", "reasoning_content", "reasoning", "refusal", "text", "thinking", "partial_json", "arguments")
MADE_TEXTS = ("outputText", "generation", "completion", "response", "generated_text")
"""Where bodies of other interfaces (Titan's, Llama's, older Claudes', Ollama's) hold what is new."""


def characters_in(delta: object) -> int:
    """The characters of a delta: a text, or an object with texts and parts in it."""
    if isinstance(delta, str):
        return len(delta)
    fields = fields_of(delta)
    if fields is None:
        return 0
    characters = 0
    for name in DELTA_TEXTS:
        value = fields.get(name)
        if isinstance(value, str):
            characters += len(value)
        elif value is not None:
            characters += _characters_in_parts(listed(value) or [value])
    characters += characters_in(inside(fields, "message", "content"))
    characters += _characters_in_parts(listed(fields.get("tool_calls")))
    characters += characters_in(inside(fields, "reasoningContent", "text"))
    return characters + characters_in(inside(fields, "toolUse", "input"))


def characters_made(body: object) -> int:
    """The characters of a chunk whose interface has no deltas."""
    fields = fields_of(body) or {}
    made = sum(len(text) for name in MADE_TEXTS if isinstance(text := fields.get(name), str))
    made += sum(characters_in(output) for output in listed(fields.get("outputs")))
    return made + characters_in(fields.get("message"))


def _characters_in_parts(parts: Iterable[object]) -> int:
    return sum(characters_in(inside(part, "text") or inside(part, "function", "arguments")) for part in parts)
