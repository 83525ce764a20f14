"""The places where counts may stand in an answer, as one tree of names, so that an answer is walked once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from tracking.answers.fields import Fields, fields_of, is_unset
from tracking.answers.shapes.tables import Item, Place
from tracking.usage import MAX_COUNT, Quantity, as_quantity

CountsByPlace = dict[int, Quantity]
"""What was found, by the bit of its place: the sum of the keys says which places held a count."""

PROTOBUF_MODALITIES = {1: "text", 2: "image", 3: "video", 4: "audio", 5: "document"}
"""https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rpc/google.cloud.aiplatform.v1#modality"""


@dataclass(slots=True, eq=False)
class _Node:
    """One name of the tree: a place with a count, the way to others, or both."""

    bit: int = 0
    path: str = ""
    only_inner: bool = False
    inner: "dict[str, _Node]" = field(default_factory=dict[str, "_Node"])
    items: "dict[str, dict[str, _Node]]" = field(default_factory=dict[str, dict[str, "_Node"]])
    """For a list: by field and its value, in lower case, the first item that has it."""


class PlaceTree:
    """Every place of some tables, each with a bit of its own."""

    def __init__(self) -> None:
        self._root = _Node()
        self._usage: _Node | None = None
        self._places = 0

    def bit(self, place: Place) -> int:
        """The bit of a place, which is put into the tree."""
        node = self._root
        for step in place:
            if isinstance(step, Item):
                node = node.items.setdefault(step.field, {}).setdefault(step.value, _Node())
            else:
                node = node.inner.setdefault(step, _Node())
        if not node.bit:
            node.bit = 1 << self._places
            node.path = ".".join(step for step in place if isinstance(step, str))
            self._places += 1
        return node.bit

    def finish(self) -> None:
        """Say that all places are in; only then is an answer read."""
        _finish(self._root)
        self._usage = self._root.inner.get("usage")

    def read(self, answer: Fields) -> CountsByPlace:
        """The counts of an answer.

        Raises:
            UsageError: one is not a non-negative number; its path and value are named.
        """
        by_place: CountsByPlace = {}
        usage = answer.get("usage")
        if usage is not None and self._usage is not None:
            if type(usage) is dict:
                _walk(self._usage.inner, usage, by_place)  # pyright: ignore[reportUnknownArgumentType]
            else:
                _read_node(self._usage, usage, by_place)
        if not by_place:  # nine answers of ten count under that name alone
            _walk(self._root.inner, answer, by_place)
        return by_place


def snake_case(name: str) -> str:
    """`usageMetadata` as SDKs name the attribute: `usage_metadata`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _finish(node: _Node) -> None:
    """SDK objects name a camelCase field in snake_case; a name that means something else in its place keeps that."""
    for name, child in list(node.inner.items()):
        node.inner.setdefault(snake_case(name), child)
        _finish(child)
    for items in node.items.values():
        for item in items.values():
            _finish(item)
    node.only_inner = not node.bit and not node.items


def _walk(inner: dict[str, _Node], fields: Fields, by_place: CountsByPlace) -> None:
    for name, value in fields.items():
        if value is not None and (node := inner.get(name)) is not None:
            if type(value) is int and node.bit and 0 <= value <= MAX_COUNT:
                by_place[node.bit] = value
            elif node.only_inner and type(value) is dict:
                _walk(node.inner, value, by_place)  # pyright: ignore[reportUnknownArgumentType]
            else:
                _read_node(node, value, by_place)


def _read_node(node: _Node, value: object, by_place: CountsByPlace) -> None:
    if node.items:
        _walk_items(node, value, by_place)
    elif node.inner and (fields := fields_of(value)) is not None:
        _walk(node.inner, fields, by_place)
    elif node.bit and not is_unset(value):
        by_place[node.bit] = as_quantity(node.path, value)


def _walk_items(node: _Node, value: object, by_place: CountsByPlace) -> None:
    if not isinstance(value, list | tuple):
        return
    walked: set[tuple[str, str]] = set()
    for entry in cast("Sequence[object]", value):
        if not (fields := fields_of(entry)):
            continue
        for name, items in node.items.items():
            if (said := fields.get(name)) is None:
                continue
            word = "*" if "*" in items else _word(said)
            if (item := items.get(word)) is not None and (name, word) not in walked:
                walked.add((name, word))
                _walk(item.inner, fields, by_place)


def _word(said: object) -> str:
    if isinstance(said, str):
        return said.lower()
    return PROTOBUF_MODALITIES.get(said, "") if isinstance(said, int) else ""
