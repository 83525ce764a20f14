"""The refused lines of one source of imports, as `quarantine/` keeps them: what they used and whose they were.

A line may hold the prompt and the answer under any name, so no part of it is kept as it came.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from tracking import ArgumentError, CostCalculator, LLMResponse
from tracking.durable_files import replace_file
from tracking.home import Home
from tracking.journal.kept_parts import USAGE, answer_part, attribution_part, reason_part
from tracking.journal.kept_response import estimated_usd, read_response
from tracking.journal.quarantine import Quarantine, counted
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.rows.options import CallOptions
from warehouse.importing.calls import FIELDS, OPTIONS, Defaults, instant_of, trackable_of
from warehouse.ledger.unreadable_lines import without_raw


class RefusedLines(Quarantine):
    """The file of one source is the same however often that is imported; a line recorded after all leaves it."""

    def __init__(self, home: Home, source: str) -> None:
        super().__init__(home.quarantine)
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", source)[:80]
        digest = hashlib.sha256(source.encode()).hexdigest()[:8]
        self.file = home.quarantine / f"import-{name}-{digest}.jsonl"
        self._entries: dict[tuple[int, str | None], dict[str, Any]] = {}
        self._unreadable: list[str] = []
        for text in self.file.read_text(encoding="utf-8", errors="replace").split("\n") if self.file.exists() else ():
            self._take(text)
        self._calculator: CostCalculator | None = None
        self._prices_toml = home.prices_toml
        self._refused: tuple[object, LLMResponse | None, Decimal | None] | None = None

    def _take(self, text: str) -> None:
        """What an earlier import kept. What cannot be read stays as it is: it stops no import."""
        if not text.strip():
            return
        try:
            entry = without_raw(json.loads(text))
            self._entries[entry["line"], entry["sha256"]] = entry
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._unreadable.append(text)

    def keep(
        self,
        reason: BaseException,
        answer: object,
        attribution: Mapping[str, Any],
        response: LLMResponse | None = None,
        estimated_usd: Decimal | None = None,
    ) -> Path:
        """What the tracker refused, its answer read already. `refuse` says which line it was."""
        self._refused = (answer, response, estimated_usd)
        return self.file

    def refuse(
        self,
        place: Mapping[str, Any],
        line_fields: Mapping[str, Any],
        error: Exception,
        defaults: Defaults,
        modified: datetime,
    ) -> str:
        """Keep what may be kept of a line; returns why it was refused, in words that hold nothing of it either."""
        entry: dict[str, Any] = {"error": type(error).__name__, "reason": reason_part(error, line_fields)}
        entry |= _attribution(line_fields, defaults, modified)
        answer, response, usd = self._refused or (None, None, None)
        part, self._refused = answer_part(answer), None
        if part is None:
            candidate, part = _answer(line_fields, entry)
            response = read_response(candidate, entry.get("provider"), entry.get("model"))
            usd = self._estimated(response, entry)
        identity = hashlib.sha256(json.dumps([self.file.name, place["line"], place["sha256"]]).encode()).hexdigest()[
            :32
        ]
        for name in ("provider", "model"):
            entry[name] = entry.get(name) or getattr(response, name, None)
        earlier = self._entries.get((place["line"], place["sha256"]), {})
        self._entries[place["line"], place["sha256"]] = {
            "id": identity,
            **place,
            **entry,
            "answer": part,
            **counted(response, usd),
            "refused_at": earlier.get("refused_at") or datetime.now(UTC).isoformat(),
        }
        return entry["reason"]

    def _estimated(self, response: LLMResponse | None, entry: Mapping[str, Any]) -> Decimal | None:
        if self._calculator is None:
            self._calculator = CostCalculator(PriceOverrides.load(self._prices_toml))
        at = datetime.fromisoformat(entry["occurred_at"])
        return estimated_usd(
            self._calculator, response, at if at.tzinfo else at.replace(tzinfo=UTC), entry.get("tenant")
        )

    def forget(self, number: int, digest: str) -> None:
        self._entries.pop((number, digest), None)

    def write(self) -> None:
        entries = sorted(self._entries.values(), key=lambda entry: (entry["line"], entry["sha256"] or ""))
        lines = [*self._unreadable, *map(json.dumps, entries)]
        if lines:
            replace_file(self.file, "".join(f"{line}\n" for line in lines).encode())
        else:
            self.file.unlink(missing_ok=True)


def _given(line_fields: Mapping[str, Any], defaults: Defaults) -> dict[str, object]:
    arguments = {
        name: line_fields.get(name) or getattr(defaults, name) for name in ("user", "trackable", "request_type")
    }
    try:
        arguments["trackable"] = trackable_of(arguments["trackable"])
    except ArgumentError:
        arguments["trackable"] = None
    return arguments


def _attribution(line_fields: Mapping[str, Any], defaults: Defaults, modified: datetime) -> dict[str, Any]:
    options: dict[str, Any] = {name: line_fields.get(name) for name in OPTIONS}
    with suppress(ArgumentError):
        options["trackable_parent"] = trackable_of(line_fields.get("trackable_parent"))
    options |= {name: line_fields.get(name) or getattr(defaults, name) for name in ("provider", "model")}
    occurred_at: datetime | None = None
    with suppress(ArgumentError):
        occurred_at = instant_of(line_fields["occurred_at"]) if "occurred_at" in line_fields else None
    options["occurred_at"] = occurred_at or modified
    return attribution_part(_given(line_fields, defaults), cast(CallOptions, options))


def _answer(line_fields: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[object, dict[str, Any] | None]:
    """The answer, under whatever name it stands, and what of it may be kept; the line may be the answer itself."""
    elsewhere = [value for name, value in line_fields.items() if name == "response" or name not in FIELDS]
    listed = [item for value in elsewhere if isinstance(value, list) for item in cast("list[object]", value)]
    candidates: tuple[object, ...] = (*elsewhere, *listed, dict(line_fields))
    parts: list[tuple[object, dict[str, Any]]] = [
        (candidate, part)
        for candidate in candidates
        if isinstance(candidate, dict | LLMResponse)
        and (part := answer_part(cast(object, candidate), entry.get("provider"), entry.get("model")))
        and (candidate is line_fields.get("response") or not part.keys().isdisjoint(USAGE))
    ]
    used = [each for each in parts if not each[1].keys().isdisjoint(USAGE)]
    return next(iter([*used, *parts]), (None, None))
