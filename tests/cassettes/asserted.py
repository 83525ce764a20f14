"""What the tests beside a cassette assert of its counts, read from their source."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

Asserted = dict[str, set[int]]
"""The numbers asserted of each of "input" and "output"."""

NAMES = {"input": ("input_tokens", "prompt_tokens"), "output": ("output_tokens", "completion_tokens")}


def asserted_by_tests(cassette: Path) -> Asserted:
    """What the test that plays a cassette asserts of input and output tokens."""
    test = cassette.name.split(".")[0].split("[")[0]
    found: Asserted = {"input": set(), "output": set()}
    for source in _sources(cassette):
        for function in _functions(source).get(test, ()):
            for kind, number in _numbers(function):
                found[kind].add(number)
    return found


def _sources(cassette: Path) -> list[Path]:
    """The test modules that may play a cassette: the one its folder is named after, or all beside its folder."""
    beside = next(folder for folder in cassette.parents if "cassettes" in folder.name).parent
    named = beside / f"{cassette.parent.name}.py"
    return [named] if named.is_file() else sorted(beside.glob("test*.py"))


@cache
def _functions(source: Path) -> dict[str, list[ast.AST]]:
    functions: dict[str, list[ast.AST]] = {}
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.setdefault(node.name, []).append(node)
    return functions


def _numbers(function: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and _name(node.func) in ("RequestUsage", "Usage"):
            for keyword in node.keywords:
                if (kind := _kind(keyword.arg, exact=True)) and (number := _whole(keyword.value)) is not None:
                    yield kind, number
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            kind, number = _kind(ast.unparse(node.left)), _whole(node.comparators[0])
            if kind and number is not None and not isinstance(node.left, ast.BinOp):
                yield kind, number


def _kind(text: str | None, *, exact: bool = False) -> str | None:
    told = (text or "").lower()
    if not exact and any(part in told for part in ("cache", "reasoning", "details", "len(")):
        return None
    return next((kind for kind, names in NAMES.items() if any(told == n if exact else n in told for n in names)), None)


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _whole(node: ast.AST) -> int | None:
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None
