"""Importing calls from JSON lines: every line is recorded, recorded unpriced, or refused with its reason."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tracking import CostTracker, CostTrackingError, LedgerError, RequestType, TrackableRef
from tracking.home import Home
from tracking.rows.trackable import user_id_of
from warehouse.importing.lines import BadLineError, Defaults, arguments_of, decoded, told
from warehouse.importing.refused_lines import RefusedLines


class ImportFileError(CostTrackingError):
    """A file that cannot be read whole; nothing of it was imported."""


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


class _Source:
    """What lines without a response id are known by, over all its files of one import."""

    def __init__(self, home: Home, label: str) -> None:
        # A name that is not UTF-8 must not stop an import.
        self.label = os.fsencode(label).decode(errors="backslashreplace")
        self.quarantine = RefusedLines(home, self.label)
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
            decoded(last)
        except BadLineError:
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
                record = tracker.record(**arguments_of(line, defaults, modified, key))
            except (LedgerError, OSError):
                raise  # not the line's fault
            except Exception as error:  # whatever it holds, it stops no other line
                place = {"source": source.label, "line": number, "sha256": digest}
                reason = quarantine.refuse(place, line, told(error), defaults, modified)
                report.refusals.append(Refusal(source.label, number, reason))
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
