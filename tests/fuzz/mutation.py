"""Mutations that keep an input readable: of a tree of JSON, of lines of it, and of the words of a text."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 7, 2**31, 2**53 + 1, 2**63, 10**12, 10**12 + 1, 10**18, -(10**18), 10**40),
    *(0.1, -0.5, 1e-12, 1e-30, 1e300, -0.0, 253402300800, 1763800000, 1763800000.5),
    *(float("inf"), float("nan"), True, False, None),
)
TEXTS = (
    *("", " ", "None", "null", "0", "-1", "1e999999", "1e-999999", "NaN", "Infinity", "0.1", "12_000", "٣", "½"),
    *("\ud800", "a\udc80b", "\x00", "a\nb", "\r\n", "\t", "\x1b[2J", "\u202e", "é", "é", "𝒳", "\ufeff", "'", '"', "\\"),
    *("=1+1", "../../etc/passwd", "a:b", "a/b", "a=b", "*", "[a-z]*", "{}", "[]", "%s", "{0}", "x" * 300, "gpt-4o"),
    *("2026-11-02", "2026-11-02T10:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-02T10"),
    *("openai", "anthropic", "google", "aws", "OpenAI", "batch", "flex", "USD", "usd", "9" * 40, "1e3", "+5", "1_0"),
)
TAGGED = (
    {"$": "decimal", "of": "1e1000000"},
    {"$": "decimal", "of": "12.5"},
    {"$": "decimal", "of": "NaN"},
    {"$": "whole", "of": 5000},
    {"$": "numpy", "of": 5},
    {"$": "bytes", "of": "a"},
    {"$": "deep", "of": 2000},
    {"$": "object", "of": {"id": 1}},
    {"$": "instant", "of": "0001-01-01T00:00:00+14:00"},
    {"$": "set", "of": [1]},
)
"""What is no JSON, as `targets/answers.py` makes it."""
WORD = re.compile(r"\s+|[A-Za-z_][\w.]*|[0-9][\w.:+-]*|\"[^\"\n]*\"|'[^'\n]*'|.", re.DOTALL)
KEPT = 400

Mutate = Callable[[bytes, int], bytes]


class TreeMutator:
    """Changes a tree of JSON at one to four places; what it has seen elsewhere may come in there."""

    def __init__(self, blind: Mutate) -> None:
        self._blind = blind
        self._nodes: list[Any] = [*NUMBERS, *TEXTS, *TAGGED]
        self._names: dict[str, None] = {}

    def __call__(self, data: bytes, most: int, seed: int) -> bytes:
        chance = Random(seed)
        try:
            tree = json.loads(data)
        except (ValueError, RecursionError):
            return self._blind(data, most)
        self._learn(tree, chance)
        holder = [tree]
        for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
            self._change(holder, chance)
        try:
            changed = json.dumps(holder[0]).encode()
        except RecursionError:
            return data
        return changed if len(changed) <= most else data

    def _learn(self, tree: Any, chance: Random) -> None:
        for container, key in _places(tree):
            if isinstance(container, dict):
                self._names[key] = None
            if len(self._nodes) < KEPT:
                self._nodes.append(container[key])
            elif chance.random() < 0.05:
                self._nodes[chance.randrange(len(self._nodes))] = container[key]

    def _change(self, holder: list[Any], chance: Random) -> None:
        places = _places(holder)
        container, key = chance.choice(places)
        match chance.randrange(9):
            case 0:
                container[key] = self._node(chance)
            case 1:
                container[key] = chance.choice(NUMBERS)
            case 2:
                container[key] = chance.choice(TEXTS)
            case 3:
                container[key] = _nudged(container[key], chance)
            case 4 if container is not holder:
                del container[key]
            case 5 if isinstance(container, dict) and self._names:
                container[chance.choice(list(self._names))] = container.pop(key)
            case 6:
                inner = container[key]
                if isinstance(inner, list):
                    inner.insert(chance.randint(0, len(inner)), self._node(chance))
                elif isinstance(inner, dict):
                    name = chance.choice(list(self._names) or ["a"]) if chance.random() < 0.9 else chance.choice(TEXTS)
                    inner[name] = self._node(chance)
                else:
                    container[key] = [inner] if chance.random() < 0.5 else {"value": inner}
            case 7:
                other, there = chance.choice(places)
                container[key] = deepcopy(other[there])
            case _:
                container[key] = deepcopy(chance.choice(TAGGED))

    def _node(self, chance: Random) -> Any:
        return deepcopy(chance.choice(self._nodes))


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place of a tree: its container and its key there."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        container = waiting.pop()
        if isinstance(container, dict | list):
            keys = list(container) if isinstance(container, dict) else range(len(container))
            found += [(container, key) for key in keys]
            waiting += [container[key] for key in keys]
    return found


def _nudged(value: Any, chance: Random) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return chance.choice((value + 1, value - 1, value * 10, -value, float(value), str(value), value + 0.5))
    if isinstance(value, float):
        return chance.choice((value * 10, -value, str(value), value / 3))
    if isinstance(value, str):
        at = chance.randint(0, len(value))
        return chance.choice((value[:at], value[:at] + chance.choice(TEXTS) + value[at:], value.upper(), value * 3))
    return value


class LinesMutator:
    """Changes one of several lines of JSON as a tree, or their order and number; now and then a line's bytes."""

    def __init__(self, blind: Mutate) -> None:
        self._blind = blind
        self._tree = TreeMutator(blind)

    def __call__(self, data: bytes, most: int, seed: int) -> bytes:
        chance = Random(seed)
        lines = data.split(b"\n")
        at = chance.randrange(len(lines))
        match chance.randrange(12):
            case 0:
                lines.insert(at, lines[chance.randrange(len(lines))])
            case 1 if len(lines) > 1:
                del lines[at]
            case 2:
                chance.shuffle(lines)
            case 3:
                lines[at] = self._blind(lines[at], most)
            case _:
                lines[at] = self._tree(lines[at], most, seed)
        changed = b"\n".join(lines)
        return changed if len(changed) <= most else data


class TextMutator:
    """Changes the words and lines of a text, such as TOML or CSV."""

    def __init__(self, blind: Mutate) -> None:
        self._blind = blind
        self._words: list[str] = []
        self._lines: list[str] = []

    def __call__(self, data: bytes, most: int, seed: int) -> bytes:
        chance = Random(seed)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return self._blind(data, most)
        if chance.random() < 0.05:
            return self._blind(data, most)
        words, lines = WORD.findall(text), text.split("\n")
        self._words = [*words, *self._words][:KEPT]
        self._lines = [*lines, *self._lines][:KEPT]
        for _ in range(chance.choice((1, 1, 2, 3))):
            if chance.random() < 0.35:
                text = "\n".join(self._change(text.split("\n"), self._lines, chance))
            else:
                text = "".join(self._change(WORD.findall(text), [*self._words, *_literals(chance)], chance))
        changed = text.encode(errors="surrogatepass")
        return changed if len(changed) <= most else data

    @staticmethod
    def _change(parts: list[str], known: list[str], chance: Random) -> list[str]:
        at = chance.randrange(len(parts)) if parts else 0
        match chance.randrange(5):
            case 0:
                return parts[:at] + parts[at + 1 :]
            case 1:
                return [*parts[:at], chance.choice(known or [""]), *parts[at:]]
            case 2 if len(parts) > 1:
                other = chance.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
                return parts
            case _:
                return [*parts[:at], chance.choice(known or [""]), *parts[at + 1 :]]


def _literals(chance: Random) -> list[str]:
    """A number or a text as TOML or CSV would have it."""
    number, text = str(chance.choice(NUMBERS)), chance.choice(TEXTS)
    return [
        number,
        f'"{number}"',
        json.dumps(text),
        text,
        f"[{number}]",
        f"{{ a = {number} }}",
        "inf",
        "nan",
        "[[",
        "=",
    ]


MUTATORS = {"tree": TreeMutator, "lines": LinesMutator, "text": TextMutator}
