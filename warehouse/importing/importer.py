"""Importing calls from JSON lines: every line is recorded, recorded unpriced, or refused with its reason."""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from tracking import ArgumentError, CostTracker, CostTrackingError, LedgerError, LLMResponse, RequestType, TrackableRef
from tracking.durable_files import replace_file
from tracking.home import Home
from tracking.journal.quarantine import Quarantine, refusal
from tracking.rows.prompt import WITHHELD
from tracking.rows.trackable import user_id_of

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
    """The refused lines of one source. Its file is the same however often the source is imported; a line that is
    recorded after all leaves it."""

    def __init__(self, home: Home, source: str) -> None:
        super().__init__(home.quarantine)
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", source)[:80]
        digest = hashlib.sha256(source.encode()).hexdigest()[:8]
        self.file = home.quarantine / f"import-{name}-{digest}.jsonl"
        kept = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        entries: list[dict[str, Any]] = [json.loads(entry) for entry in kept]
        self._entries = {(entry["line"], entry["sha256"]): entry for entry in entries}
        self._refused: dict[str, Any] = {}

    def keep(self, reason: Exception, answer: object, context: Mapping[str, str | None]) -> Path:
        """What the tracker refused. `refuse` says which line it was."""
        self._refused = refusal(reason, answer) | dict(context)
        return self.file

    def refuse(self, place: Mapping[str, Any], line: bytes, error: Exception) -> None:
        readable = _readable(line)
        answer = readable.get("response")
        entry = self._refused or refusal(error, answer)
        if not readable:
            entry["raw"] = line.decode(errors="replace")
        elif not isinstance(answer, dict):
            entry["raw"] = json.dumps({name: value for name, value in readable.items() if name != "prompt"})
        self._entries[place["line"], place["sha256"]] = {**place, **entry}
        self._refused = {}

    def forget(self, number: int, digest: str) -> None:
        self._entries.pop((number, digest), None)

    def write(self) -> None:
        if self._entries:
            entries = sorted(self._entries.values(), key=lambda entry: (entry["line"], entry["sha256"]))
            replace_file(self.file, "".join(json.dumps(entry, default=str) + "\n" for entry in entries).encode())
        else:
            self.file.unlink(missing_ok=True)


class _Source:
    """What lines without a response id are known by, over all its files of one import."""

    def __init__(self, home: Home, label: str) -> None:
        # A name that is not UTF-8 must not stop an import.
        self.label = os.fsencode(label).decode(errors="backslashreplace")
        self.quarantine = _ImportQuarantine(home, self.label)
        self.equal_lines: Counter[str] = Counter()


def import_files(
    home: Home,
    files: list[Path],
    defaults: Defaults,
    source: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Record every line of JSON-lines files. Importing a file again adds nothing to the sealed ledger.

    A line is `{"provider", "response"}` with optional `model user trackable request_type occurred_at prompt tenant
    tags`; a field that is null is not there. A line without a response id is known by `source` (default: the file's
    name), its bytes and its ordinal among the equal lines of that source; one without a time takes the response's
    own, else the file's modification time.
    `progress` is told the bytes done since it was told last.

    Raises:
        ImportFileError: a file is unreadable or its last line is cut off; nothing at all is imported then.
        ArgumentError: a default is unusable.
        LedgerError: the home cannot be used; import the files again once it can.
    """
    _check_defaults(home, defaults)
    files = list({file.resolve(): file for file in files}.values())
    for file in files:
        _check_whole(file)
    report = ImportReport()
    sources: dict[str, _Source] = {}
    try:
        for file in files:
            label = source or file.name
            known = sources.get(label) or sources.setdefault(label, _Source(home, label))
            _import_file(home, file, known, defaults, report, progress or (lambda _: None))
    except OSError as error:
        raise LedgerError(f"importing {error.filename or home.root} failed: {error.strerror or error}") from error
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
    if file.exists() and not file.is_file():
        raise ImportFileError(f"{file} cannot be read: it is not a regular file, which can be read twice")
    try:
        with file.open("rb") as lines:
            number, last = 0, b"\n"
            for line in lines:
                number, last = number + 1, line
    except OSError as error:
        raise ImportFileError(f"{file} cannot be read: {error.strerror}") from error
    if not last.endswith(b"\n"):
        try:
            _decoded(last)
        except _BadLineError:
            raise ImportFileError(f"{file} is cut off in line {number}; nothing was imported") from None


def _import_file(
    home: Home,
    file: Path,
    source: _Source,
    defaults: Defaults,
    report: ImportReport,
    progress: Callable[[int], None],
) -> None:
    modified = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    quarantine = source.quarantine
    with CostTracker(home=home.root, on_unknown_model="record", on_error="raise", quarantine=quarantine) as tracker:
        for number, line in _lines(file):
            report.lines += 1
            digest = hashlib.sha256(line).hexdigest()
            source.equal_lines[digest] += 1
            key = f"{source.label}:{digest}:{source.equal_lines[digest]}"
            try:
                record = tracker.record(**_arguments(line, defaults, modified, key))
            except LedgerError:
                raise  # not the line's fault
            except (CostTrackingError, ValueError, ArithmeticError) as error:
                quarantine.refuse({"source": source.label, "line": number, "sha256": digest}, line, error)
                report.refusals.append(Refusal(source.label, number, _one_line(error)))
            else:
                quarantine.forget(number, digest)
                report.recorded += 1
                report.unpriced += record.pricing_status == "unpriced"
            progress(len(line) + 1)
    quarantine.write()


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, line.rstrip(b"\r\n")


class _BadLineError(ValueError):
    """A line that is not of the form an import takes."""


def _arguments(line: bytes, defaults: Defaults, modified: datetime, key: str) -> dict[str, Any]:
    fields = _fields(line)
    response = LLMResponse.from_provider(
        fields["response"],
        provider=fields.get("provider", defaults.provider),
        model=fields.get("model"),
    )
    if response.model is None and defaults.model is not None:
        response = replace(response, model=defaults.model)
    occurred_at = _instant(fields["occurred_at"]) if "occurred_at" in fields else response.created
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


def _decoded(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        # The decoder's own message may quote the line.
        place = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise _BadLineError(f"not valid JSON{place}") from None


def _fields(line: bytes) -> dict[str, Any]:
    fields = _decoded(line)
    if not isinstance(fields, dict):
        raise _BadLineError(f"a {type(fields).__name__}, expected an object")
    given = cast("dict[str, Any]", fields)
    unknown = given.keys() - FIELDS
    if unknown:
        raise _BadLineError(f"unknown field {min(unknown)[:40]!r}")
    named = {name: value for name, value in given.items() if value is not None}
    if not isinstance(named.get("response"), dict):
        raise _BadLineError("field 'response' is missing or not an object")
    for name, kind, expected in (("provider", str, "a text"), ("model", str, "a text"), ("tags", dict, "an object")):
        if name in named and not isinstance(named[name], kind):
            raise _BadLineError(f"field {name!r} is a {type(named[name]).__name__}, expected {expected}")
    return named


def _readable(line: bytes) -> dict[str, Any]:
    """The fields of a refused line as far as it is an object at all; else nothing."""
    try:
        fields = _decoded(line)
    except _BadLineError:
        return {}
    return cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise ArgumentError("occurred_at", f"is a {type(value).__name__}, expected ISO 8601 with a time zone")
    try:
        instant = datetime.fromisoformat(value)
        return instant if instant.tzinfo is None else instant.astimezone(UTC)
    except ValueError:
        raise ArgumentError("occurred_at", f"({value[:40]!r}) is not ISO 8601") from None
    except OverflowError:
        raise ArgumentError("occurred_at", f"({value[:40]!r}) is out of range in UTC") from None


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
