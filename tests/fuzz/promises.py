"""What is promised at every door: documented errors, words that hold nobody's words, money that is exact."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tracking import ArgumentError, LLMUsageRecord
from tracking.money import to_micro_usd
from tracking.usage import TOKEN_COUNTS

SAID = "What Amelie wrote of her mother, who "
"""How everything begins that stands for a person's words: longer than what an error may repeat, and no single word."""
SECRET = "hunter2hunter2"
"""Stands for a secret of the user's."""
CANARIES = (SAID, SAID[:20], SECRET)

COUNTS = (*TOKEN_COUNTS, "token_count")
TEXT_FIELDS = frozenset({"content", "text", "thinking", "arguments", "output_text", "refusal", "transcript", "message"})
"""Where answers have what was said."""


class BrokenPromiseError(AssertionError):
    """What is promised at a door does not hold."""


def require(holds: object, broken: str) -> None:
    if not holds:
        raise BrokenPromiseError(broken)


def with_words(value: Any, name: object = None) -> Any:
    """The same, where every text in a place for words begins with `SAID`."""
    if isinstance(value, dict):
        return {key: with_words(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_words(inner, name) for inner in value]
    return SAID + value if isinstance(value, str) and name in TEXT_FIELDS else value


def require_silent(text: str, place: str) -> None:
    for canary in CANARIES:
        require(canary not in text, f"{place} holds what was said: {text[:300]}")


def require_documented(error: Exception, documented: tuple[type[Exception], ...]) -> None:
    """It is one of these, names what it is about, and repeats nobody's words; else it is raised again."""
    if not isinstance(error, documented):
        raise error
    told = str(error)
    require(len(told) > 8, f"{type(error).__name__} says nothing: {told!r}")
    require_silent(told, f"a {type(error).__name__}")
    if isinstance(error, ArgumentError):
        require(error.argument in told and error.argument, f"no argument is named: {told}")
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_input=False)
        for problem in problems:
            named = problem["loc"] or [name for name in LLMUsageRecord.model_fields if name in problem["msg"]]
            require(named, f"no field is named: {problem}")
        require_silent(repr(problems), "a ValidationError's details")


def require_exact(columns: dict[str, Any]) -> None:
    """Money is a Decimal of at most 12 places or NULL, counts are whole, and neither contradicts the other."""
    require_kinds(columns)
    cost, micro = columns["cost_usd"], columns["micro_usd"]
    require((cost is None) == (micro is None) == (columns["pricing_status"] == "unpriced"), f"{cost}, {micro}")
    for amount in (cost, columns["provider_cost_usd"]):
        if amount is not None:
            require(amount == round(amount, 12) and 0 <= amount < 10**6, f"{amount} does not fit the ledger")
    if cost is not None:
        require(micro == to_micro_usd(cost), f"{micro} is not {cost}")
    for name in COUNTS:
        require(columns[name] is None or columns[name] >= 0, f"{name} is {columns[name]}")


def require_kinds(columns: dict[str, Any]) -> None:
    """Money is a Decimal, and counts are whole numbers, whoever wrote them."""
    for name in ("cost_usd", "provider_cost_usd"):
        amount = columns[name]
        require(amount is None or (type(amount) is Decimal and amount.is_finite()), f"{name} is {amount!r}")
    for name in (*COUNTS, "micro_usd"):
        require(columns[name] is None or type(columns[name]) is int, f"{name} is {columns[name]!r}")


def sizes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in _files(folder)}


def grown(folder: Path, before: dict[Path, int]) -> bytes:
    """What was appended to the files of a folder since."""
    parts: list[bytes] = []
    for path in _files(folder):
        with path.open("rb") as file:
            file.seek(before.get(path, 0))
            parts.append(file.read())
    return b"".join(parts)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file())
