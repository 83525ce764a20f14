"""Importing calls from JSON lines: every line is recorded, recorded unpriced, or refused with its reason."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from tracking import ArgumentError, CostTracker, CostTrackingError, LLMResponse, RequestType, TrackableRef
from tracking.durable_files import replace_file
from tracking.home import Home
from tracking.prompt import WITHHELD
from tracking.quarantine import Quarantine, refusal
from tracking.trackable import user_id_of

FIELDS = frozenset(
    {"provider", "response", "model", "user", "trackable", "request_type", "occurred_at", "prompt", "tenant", "tags"}
)


class ImportFileError(CostTrackingError):
    """A file that cannot be read whole; nothing of it was imported."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a line says by saying nothing."""

    user: str | None = None
    trackable: str | None = None
    request_type: str | None = None
    provider: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not recorded. `line` counts from 1."""

    source: str
    line: int
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What became of each line. `recorded` includes the `unpriced`."""

    lines: int = 0
    recorded: int = 0
    unpriced: int = 0
    refusals: list[Refusal] = field(default_factory=list[Refusal])


class _ImportQuarantine(Quarantine):
    """Holds the refused lines of one source; its file is the same however often the source is imported."""

    def __init__(self, home: Home, source: str) -> None:
        super().__init__(home.quarantine)
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", source)[:80]
        digest = hashlib.sha256(source.encode()).hexdigest()[:8]
        self.file = home.quarantine / f"import-{name}-{digest}.jsonl"
        self.entries: list[dict[str, Any]] = []

    def keep(self, reason: Exception, answer: object, context: Mapping[str, str | None]) -> Path:
        self.entries.append(refusal(reason, answer) | dict(context))
        return self.file

    def write(self) -> None:
        if self.entries:
            replace_file(self.file, "".join(json.dumps(entry, default=str) + "\n" for entry in self.entries).encode())


def import_files(
    home: Home,
    files: list[Path],
    defaults: Defaults,
    source: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Record every line of JSON-lines files. Importing a file again adds nothing to the sealed ledger.

    A line is `{"provider", "response"}` with optional `model user trackable request_type occurred_at prompt tenant
    tags`. One without a response id is known by `source` (default: the file's name), its bytes and its ordinal among
    equal lines; one without a time takes the response's own, else the file's modification time.
    `progress` is told the bytes done since it was told last.

    Raises:
        ImportFileError: a file is unreadable or its last line is cut off; nothing at all is imported then.
        ArgumentError: a default is unusable.
    """
    _check_defaults(home, defaults)
    for file in files:
        _check_whole(file)
    report = ImportReport()
    for file in files:
        _import_file(home, file, source or file.name, defaults, report, progress or (lambda _: None))
    return report


def _check_defaults(home: Home, defaults: Defaults) -> None:
    request_types = home.open().request_types
    if defaults.user is not None:
        user_id_of(defaults.user)
    if defaults.trackable is not None:
        TrackableRef.parse(defaults.trackable)
    if defaults.request_type is not None:
        RequestType.of(defaults.request_type, request_types)


def _check_whole(file: Path) -> None:
    try:
        with file.open("rb") as lines:
            number, last = 0, b"\n"
            for line in lines:
                number, last = number + 1, line
    except OSError as error:
        raise ImportFileError(f"{file} cannot be read: {error.strerror}") from error
    if not last.endswith(b"\n"):
        try:
            json.loads(last)
        except ValueError:
            raise ImportFileError(f"{file} is cut off in line {number}; nothing was imported") from None


def _import_file(
    home: Home,
    file: Path,
    source: str,
    defaults: Defaults,
    report: ImportReport,
    progress: Callable[[int], None],
) -> None:
    modified = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    quarantine = _ImportQuarantine(home, source)
    equal_lines: Counter[str] = Counter()
    with CostTracker(home=home.root, on_unknown_model="record", on_error="raise", quarantine=quarantine) as tracker:
        for number, line in _lines(file):
            report.lines += 1
            digest = hashlib.sha256(line).hexdigest()
            equal_lines[digest] += 1
            key = f"{source}:{digest}:{equal_lines[digest]}"
            kept = len(quarantine.entries)
            try:
                record = tracker.record(**_arguments(line, defaults, modified, key))
            except (CostTrackingError, ValidationError, _BadLineError) as error:
                if len(quarantine.entries) == kept:
                    quarantine.keep(error, _answer(line), {})
                place = {"source": source, "line": number, "sha256": digest}
                unreadable = {"raw": line.decode(errors="replace")} if _answer(line) is None else {}
                quarantine.entries[-1] = place | quarantine.entries[-1] | unreadable
                report.refusals.append(Refusal(source, number, _one_line(error)))
            else:
                report.recorded += 1
                report.unpriced += record.pricing_status == "unpriced"
            progress(len(line) + 1)
    quarantine.write()


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if stripped := line.rstrip(b"\r\n"):
                yield number, stripped


class _BadLineError(ValueError):
    """A line that is not of the form an import takes."""


def _arguments(line: bytes, defaults: Defaults, modified: datetime, key: str) -> dict[str, Any]:
    fields = _fields(line)
    response = LLMResponse.from_provider(
        fields["response"],
        provider=fields.get("provider") or defaults.provider,
        model=fields.get("model") or defaults.model,
    )
    occurred_at = _instant(fields["occurred_at"]) if fields.get("occurred_at") is not None else response.created
    return {
        "llm_response": response,
        "user": fields.get("user", defaults.user),
        "trackable": _trackable(fields.get("trackable", defaults.trackable)),
        "request_type": fields.get("request_type", defaults.request_type),
        "prompt": fields.get("prompt", WITHHELD),
        "occurred_at": occurred_at or modified,
        "tenant": fields.get("tenant"),
        "tags": fields.get("tags"),
        "idempotency_key": None if response.id else key,
    }


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError as error:
        # The decoder's own message may quote the line.
        place = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise _BadLineError(f"not valid JSON{place}") from None
    if not isinstance(fields, dict):
        raise _BadLineError(f"a {type(fields).__name__}, expected an object")
    named = cast("dict[str, Any]", fields)
    unknown = named.keys() - FIELDS
    if unknown:
        raise _BadLineError(f"unknown field {min(unknown)[:40]!r}")
    if not isinstance(named.get("response"), dict):
        raise _BadLineError("field 'response' is missing or not an object")
    return named


def _answer(line: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(line)["response"]
    except (ValueError, TypeError, KeyError):
        return None
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else None


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise ArgumentError("occurred_at", f"is a {type(value).__name__}, expected ISO 8601 with a time zone")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ArgumentError("occurred_at", f"({value[:40]!r}) is not ISO 8601") from None


def _trackable(value: object) -> object:
    if isinstance(value, str):
        return TrackableRef.parse(value)
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return (named.get("type"), named.get("id"))
    return value


def _one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, line['loc']))}: {line['msg']}" for line in error.errors())
    return " ".join(str(error).split())
