"""How much text a stream has brought, in characters: of answers, thoughts, refusals and calls of tools."""

from collections.abc import Iterable, Mapping

from tracking.answers.fields import Fields, fields_of, inside, listed

NOTHING: Fields = {}

DELTA_TEXTS = frozenset(
    ("content", "reasoning_content", "reasoning", "refusal", "text", "thinking", "partial_json", "arguments")
)
DELTA_PARTS: Mapping[str, tuple[str, ...]] = {
    "message": ("content",),
    "reasoningContent": ("text",),
    "toolUse": ("input",),
}
"""What stands deeper in a delta, by its field."""

MADE_TEXTS = frozenset(("outputText", "generation", "completion", "response", "generated_text"))
"""Where bodies of other interfaces (Titan's, Llama's, older Claudes', Ollama's) hold what is new."""


def characters_in(delta: object) -> int:
    """The characters of a delta: a text, or an object with texts and parts in it."""
    if isinstance(delta, str):
        return len(delta)
    characters = 0
    for name, value in (fields_of(delta) or NOTHING).items():
        if value is None:
            continue
        if name in DELTA_TEXTS:
            characters += len(value) if isinstance(value, str) else _characters_in_parts(listed(value) or [value])
        elif name in DELTA_PARTS:
            characters += characters_in(inside(value, *DELTA_PARTS[name]))
        elif name == "tool_calls":
            characters += _characters_in_parts(listed(value))
    return characters


def characters_made(body: object) -> int:
    """The characters of a chunk whose interface has no deltas."""
    characters = 0
    for name, value in (fields_of(body) or NOTHING).items():
        if name in MADE_TEXTS:
            characters += len(value) if isinstance(value, str) else 0
        elif name == "outputs":
            characters += sum(map(characters_in, listed(value)))
        elif name == "message":
            characters += characters_in(value)
    return characters


def _characters_in_parts(parts: Iterable[object]) -> int:
    return sum(characters_in(inside(part, "text") or inside(part, "function", "arguments")) for part in parts)
