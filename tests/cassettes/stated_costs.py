"""`python -m tests.cassettes.stated_costs FOLDER…`: what recorded answers of OpenRouter say they cost, and what we do.

Reads every file below the folders that holds an answer with `usage.cost`: cassettes of VCR in Python and Ruby, JSON,
and server-sent events as text. Each answer counts once, by its id. Prints a line for each difference, the largest
first; by model what the answers say and what the catalogue makes of them; and the sum of absolute differences over the
sum. A call that the catalogue cannot price differs by all it cost; one with the caller's own key is left out.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from tracking import CostCalculator, CostTrackingError, LLMResponse

SUFFIXES = (".yaml", ".yml", ".json", ".jsonl", ".ndjson", ".sse", ".txt", ".md")
LINES = re.compile(r"^\s*(?:data:\s*)?(\{.*\})\s*$", re.MULTILINE)
"""JSON of a line, or of a server-sent event."""


@dataclass(frozen=True)
class Stated:
    """One recorded answer, and what it says it cost in USD."""

    file: Path
    body: Mapping[str, Any]
    usd: Decimal


@dataclass(frozen=True)
class Compared:
    """What one answer says it cost, and what the catalogue makes of it; `None` where it has no price."""

    stated: Stated
    model: str
    ours: Decimal | None
    about: str

    @property
    def difference(self) -> Decimal:
        return abs((self.ours or Decimal(0)) - self.stated.usd)


def stated_costs(folders: Iterable[Path]) -> Iterator[Stated]:
    """Every answer of OpenRouter below the folders that says what it cost, once each."""
    seen: set[str] = set()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.suffix not in SUFFIXES or not file.is_file():
                continue
            for body in _answers(_content(file)):
                identity = str(body["id"])
                usd = Decimal(str(body["usage"]["cost"]))
                if identity not in seen and usd > 0 and not body["usage"].get("is_byok"):
                    seen.add(identity)
                    yield Stated(file, body, usd)


def _content(file: Path) -> object:
    text = file.read_text(encoding="utf-8", errors="replace")
    if file.suffix in (".yaml", ".yml"):
        try:
            return yaml.load(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError:
            return text
    return text


def _answers(content: object) -> Iterator[dict[str, Any]]:
    """The answers in something recorded, however deep they lie in it."""
    if isinstance(content, bytes):
        content = content.decode(errors="replace")
    if isinstance(content, str):
        if '"cost"' in content:
            for parsed in _parsed(content):
                yield from _answers(parsed)
    elif isinstance(content, dict):
        usage = content.get("usage")
        told = usage.get("cost") if isinstance(usage, dict) else None
        if _is_amount(told) and str(content.get("id") or "").startswith("gen-") and content.get("model"):
            yield content
        else:
            for inner in content.values():
                yield from _answers(inner)
    elif isinstance(content, list):
        for inner in content:
            yield from _answers(inner)


def _is_amount(told: object) -> bool:
    return isinstance(told, int | float | Decimal) and not isinstance(told, bool)


def _parsed(text: str) -> Iterator[object]:
    """The JSON of a text: the whole of it, else that of its lines."""
    try:
        yield json.loads(text, parse_float=Decimal)
    except ValueError:
        for found in LINES.finditer(text):
            try:
                yield json.loads(found[1], parse_float=Decimal)
            except ValueError:
                continue


def compared(stated: Stated) -> Compared:
    """What the catalogue makes of an answer at the instant it was made."""
    try:
        response = LLMResponse.from_provider(dict(stated.body), "openrouter")
        cost = CostCalculator(cost_source="catalogue").cost(response, at=response.created or _created(stated.body))
    except CostTrackingError as error:
        return Compared(stated, str(stated.body["model"]), None, str(error)[:90])
    assumed = ", ".join(f"{word} {what}" for each in cost.assumptions for word, what in each.items())
    return Compared(stated, str(response.model), cost.cost_usd, assumed)


def _created(body: Mapping[str, Any]) -> datetime:
    """An id of OpenRouter begins with the second it was made: `gen-1772553497-…`."""
    seconds = re.match(r"gen-(?:\w+-)?(\d{10})", str(body["id"]))
    return datetime.fromtimestamp(int(seconds[1]), UTC) if seconds else datetime.now(UTC)


def report(rows: list[Compared]) -> str:
    """Each difference, the sums by model, and the whole."""
    lines: list[str] = []
    for row in sorted(rows, key=lambda row: -row.difference):
        if row.difference:
            ours = "unpriced" if row.ours is None else f"{row.ours:f}"
            where = f"{row.stated.file.name[:60]} {row.stated.body.get('provider') or ''}"
            lines.append(f"{row.difference:>14.9f}  {row.stated.usd:f} ours {ours}  {row.model}  {where}  {row.about}")
    by_model: dict[str, list[Compared]] = defaultdict(list)
    for row in rows:
        by_model[row.model].append(row)
    lines += ["", f"{'answers':>7} {'stated USD':>14} {'difference':>14}  model"]
    for model, its_own in sorted(by_model.items(), key=lambda item: -_difference(item[1])):
        lines.append(f"{len(its_own):>7} {_sum(its_own):>14.9f} {_difference(its_own):>14.9f}  {model}")
    whole = _sum(rows)
    share = _difference(rows) / whole * 100 if whole else Decimal(0)
    lines.append(f"{len(rows):>7} {whole:>14.9f} {_difference(rows):>14.9f}  of {len(by_model)} models: {share:.2f} %")
    return "\n".join(lines)


def _sum(rows: Iterable[Compared]) -> Decimal:
    return sum((row.stated.usd for row in rows), Decimal(0))


def _difference(rows: Iterable[Compared]) -> Decimal:
    return sum((row.difference for row in rows), Decimal(0))


def main(folders: Iterable[str]) -> None:
    print(report([compared(stated) for stated in stated_costs(map(Path, folders))]))


if __name__ == "__main__":
    main(sys.argv[1:])
