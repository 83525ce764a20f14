"""`record()`: an answer of any provider, whole or streamed, with any arguments beside it.

An input is `{"answer": …, "stream": bool, "arguments": {…}}`; `{"$": kind, "of": …}` stands for what is no JSON.
"""

import json
import shutil
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from pydantic import ValidationError

from tests.fuzz.promises import (
    SAID,
    grown,
    require,
    require_documented,
    require_exact,
    require_silent,
    sizes,
    with_words,
)
from tracking import ArgumentError, CostTracker, LLMUsageRecord, ResponseError, UnknownModelError, UsageError
from tracking.home import Home
from tracking.journal.writer import decode_line
from warehouse.ledger.segment_names import ByteRange
from warehouse.sealing.journal_records import read_records

DOCUMENTED = (ArgumentError, ResponseError, UsageError, UnknownModelError, ValidationError)
"""What `record()` may raise where the disk is well."""
CALLS_OF_A_HOME = 20_000
REQUIRED: dict[str, Any] = {
    "user": "teacher-1",
    "trackable": ["Assignment", 42],
    "request_type": "generate_rubric",
    "prompt": "wept.",
}


class Answers:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tracker: CostTracker | None = None
        self._calls = 0

    def __call__(self, data: bytes) -> None:
        try:
            given = json.loads(data)
            call = made(given | {"answer": with_words(given.get("answer"))}) if isinstance(given, dict) else None
        except (ValueError, RecursionError):
            return
        if not isinstance(call, dict):
            return
        given = call.get("arguments")
        named = {name: value for name, value in given.items() if name.isidentifier()} if isinstance(given, dict) else {}
        arguments = {**REQUIRED, **named}
        with suppress(RecursionError):
            arguments["prompt"] = _spoken(arguments["prompt"])
        arguments.pop("llm_response", None)
        answer = call.get("answer")
        if call.get("stream") and isinstance(answer, list):
            answer = iter(answer)
        self._record(self._ready_tracker(), answer, arguments)

    def _ready_tracker(self) -> CostTracker:
        if self._tracker is None or self._calls % CALLS_OF_A_HOME == 0:
            if self._tracker is not None:
                self._tracker.close()
                shutil.rmtree(self._tracker.home.root)
            home = self._folder / f"home-{self._calls}"
            self._tracker = CostTracker(home, on_unknown_model="record", durability="process")
        self._calls += 1
        return self._tracker

    def _record(self, tracker: CostTracker, answer: object, arguments: dict[str, Any]) -> None:
        home = tracker.home
        journal, kept = sizes(home.journal), sizes(home.quarantine)
        try:
            record = tracker.record(llm_response=answer, **arguments)
        except Exception as error:
            require_documented(error, DOCUMENTED)
            require(not grown(home.journal, journal), "a refused call is in the journal")
            _check_kept(grown(home.quarantine, kept))
        else:
            require(not grown(home.quarantine, kept), "a recorded call is in quarantine")
            _check_line(home, record, grown(home.journal, journal))


def _check_kept(line: bytes) -> None:
    require(line.count(b"\n") == 1 and line.endswith(b"\n"), f"not one line in quarantine: {line[:200]!r}")
    entry = json.loads(line)
    require(entry["error"] and entry["reason"], "quarantine does not say why")
    require_silent(json.dumps(entry, ensure_ascii=False), "quarantine")


def _check_line(home: Home, record: LLMUsageRecord, line: bytes) -> None:
    """The journal's one new line is the record, for whoever seals it too."""
    require(line.count(b"\n") == 1 and decode_line(line[:-1]), f"not one line in the journal: {line[:200]!r}")
    columns = record.model_dump()
    require_exact(columns)
    require("\0" not in record.user_id, "a user id that no command can name")
    rows, bad = read_records(ByteRange("journal.log", 0, len(line)), line)
    require(rows.height == 1 and not bad, f"the sealer does not take it: {bad}")
    read = rows.row(0, named=True)
    differs = {name: (value, read[name]) for name, value in columns.items() if read[name] != value}
    require(not differs, f"the sealer reads otherwise: {differs}")
    require(home.prices.is_dir(), "no prices")


def _spoken(prompt: Any) -> Any:
    """A prompt whose every text is somebody's words."""
    if isinstance(prompt, str):
        return SAID + prompt if prompt.strip() else prompt
    if isinstance(prompt, list):
        return [_spoken(part) for part in prompt]
    if isinstance(prompt, dict):
        return {name: part if name == "role" else _spoken(part) for name, part in prompt.items()}
    return prompt


def made(tree: Any) -> Any:
    """A tree of JSON with what its tags stand for. ValueError where one stands for nothing."""
    if isinstance(tree, list):
        return [made(part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if "$" not in tree:
        return {name: made(part) for name, part in tree.items()}
    kind, of = tree["$"], tree.get("of")
    try:
        return _KINDS[kind](of)
    except (KeyError, TypeError, AttributeError, ArithmeticError):
        raise ValueError(f"no such tag: {tree}") from None


def _deep(levels: int) -> Any:
    tree: Any = 1
    for _ in range(min(int(levels), 100_000)):
        tree = {"usage": tree}
    return tree


_KINDS = {
    "decimal": lambda of: Decimal(str(of)),
    "whole": lambda of: 10 ** min(int(of), 6000),
    "numpy": np.int64,
    "bytes": lambda of: str(of).encode(errors="surrogatepass"),
    "deep": _deep,
    "object": lambda of: SimpleNamespace(**{str(name): made(part) for name, part in of.items()}),
    "instant": lambda of: datetime.fromisoformat(str(of)),
    "set": lambda of: frozenset(map(str, of)),
}
