"""Counts that no provider told, worked out from the text: some four characters of it a token."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tracking.answers.text import text_of
from tracking.assumptions import Assumption, assumption

CHARACTERS_PER_TOKEN = 4
"""The rule: about four characters of text a token, rounded up."""

DIRECTIONS = ("input", "output")


def tokens_of(characters: int) -> int:
    """How many tokens a text of so many characters is, about."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def estimated_output(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What to say of an answer that has text, and counts only what it was sent."""
    if not (text := text_of(fields["answer"])):
        return {}
    return {
        "usage": replace(fields["usage"], output_tokens=tokens_of(len(text))),
        "estimated": True,
        "assumptions": (*fields["assumptions"], from_text("output")),
    }


def from_text(*directions: str) -> Assumption:
    """That the tokens of these directions were estimated from the text."""
    return assumption("tokens_from_text", list(directions))


def with_estimated_input(assumptions: tuple[Assumption, ...]) -> tuple[Assumption, ...]:
    """The same assumptions where the input is estimated too."""
    said = {direction for each in assumptions for direction in each.get("tokens_from_text", ())} | {"input"}
    others = [each for each in assumptions if "tokens_from_text" not in each]
    return (*others, from_text(*[direction for direction in DIRECTIONS if direction in said]))
