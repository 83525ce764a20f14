"""The refused lines of one source of imports, as `quarantine/` keeps them: what they used and whose they were.

A line may hold the prompt and the answer under any name, so no part of it is kept as it came.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from tracking import ArgumentError
from tracking.durable_files import replace_file
from tracking.home import Home
from tracking.journal.kept_parts import USAGE, answer_part, attribution_part, reason_part
from tracking.journal.quarantine import Quarantine
from tracking.rows.options import CallOptions
from warehouse.importing.calls import FIELDS, Defaults, instant_of, trackable_of
from warehouse.ledger.unreadable_lines import without_raw


class RefusedLines(Quarantine):
    """The file of one source is the same however often that is imported; a line recorded after all leaves it."""

    def __init__(self, home: Home, source: str) -> None:
        super().__init__(home.quarantine)
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", source)[:80]
        digest = hashlib.sha256(source.encode()).hexdigest()[:8]
        self.file = home.quarantine / f"import-{name}-{digest}.jsonl"
        kept = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        entries = [without_raw(json.loads(entry)) for entry in kept]
        self._entries = {(entry["line"], entry["sha256"]): entry for entry in entries}
        self._refused: object = None

    def keep(self, reason: BaseException, answer: object, attribution: Mapping[str, Any]) -> Path:
        """What the tracker refused, its answer read already. `refuse` says which line it was."""
        self._refused = answer
        return self.file

    def refuse(
        self,
        place: Mapping[str, Any],
        said: Mapping[str, Any],
        error: Exception,
        defaults: Defaults,
        modified: datetime,
    ) -> str:
        """Keep what may be kept of a line; returns why it was refused, in words that hold nothing of it either."""
        entry = {"error": type(error).__name__, "reason": reason_part(error, said)}
        entry |= _attribution(said, defaults, modified)
        answer, self._refused = answer_part(self._refused) or _answer(said, entry), None
        self._entries[place["line"], place["sha256"]] = {**place, **entry, "answer": answer}
        return entry["reason"]

    def forget(self, number: int, digest: str) -> None:
        self._entries.pop((number, digest), None)

    def write(self) -> None:
        if self._entries:
            entries = sorted(self._entries.values(), key=lambda entry: (entry["line"], entry["sha256"] or ""))
            replace_file(self.file, "".join(json.dumps(entry) + "\n" for entry in entries).encode())
        else:
            self.file.unlink(missing_ok=True)


def _given(said: Mapping[str, Any], defaults: Defaults) -> dict[str, object]:
    given = {name: said.get(name) or getattr(defaults, name) for name in ("user", "trackable", "request_type")}
    try:
        given["trackable"] = trackable_of(given["trackable"])
    except ArgumentError:
        given["trackable"] = None
    return given


def _attribution(said: Mapping[str, Any], defaults: Defaults, modified: datetime) -> dict[str, Any]:
    options: dict[str, Any] = {name: said.get(name) for name in ("tenant", "tags")}
    options |= {name: said.get(name) or getattr(defaults, name) for name in ("provider", "model")}
    occurred_at: datetime | None = None
    with suppress(ArgumentError):
        occurred_at = instant_of(said["occurred_at"]) if "occurred_at" in said else None
    options["occurred_at"] = occurred_at or modified
    return attribution_part(_given(said, defaults), cast(CallOptions, options))


def _answer(said: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the call used, under whatever name its answer stands; the line may be the answer itself."""
    elsewhere = [value for name, value in said.items() if name == "response" or name not in FIELDS]
    listed = [item for value in elsewhere if isinstance(value, list) for item in cast("list[object]", value)]
    parts = [
        part
        for candidate in (*elsewhere, *listed, dict(said))
        if isinstance(candidate, dict)
        and (part := answer_part(cast("object", candidate), entry.get("provider"), entry.get("model")))
        and (candidate is said.get("response") or not part.keys().isdisjoint(USAGE))
    ]
    return next((part for part in parts if not part.keys().isdisjoint(USAGE)), next(iter(parts), None))
