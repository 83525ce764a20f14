"""Importing calls from files: every one is recorded, recorded unpriced, or refused with its reason."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tracking import CostTracker, LedgerError, LLMUsageRecord, RequestType, TrackableRef
from tracking.home import Home
from tracking.rows.trackable import user_id_of
from warehouse.importing.calls import Defaults, ImportFileError, arguments_of, printable_error
from warehouse.importing.importer import Importer, Importers
from warehouse.importing.refused_lines import RefusedLines

NOTHING = (Decimal(0), Decimal(0))
VALUES = re.compile(r"""'[^']*'|"[^"]*"|\([^()]*\)|\d+(?:\.\d+)?""")
"""Where a reason speaks of one line alone."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that was not recorded. `line` counts from 1."""

    source: str
    line: int
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What became of each call.

    `recorded` includes the `unpriced`. `stated_costs` is, by model, what files say their calls cost and what the ledger
    says of the same calls, in USD; calls of which either is unknown are not in it.
    """

    lines: int = 0
    recorded: int = 0
    unpriced: int = 0
    refusals: list[RefusedLine] = field(default_factory=list[RefusedLine])
    stated_costs: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict[str, tuple[Decimal, Decimal]])

    def reasons(self) -> list[tuple[str, int]]:
        """Of how many lines each reason was given, without their own values, the most frequent first."""
        return Counter(VALUES.sub("…", refusal.reason) for refusal in self.refusals).most_common()

    def add(self, record: LLMUsageRecord) -> None:
        self.recorded += 1
        self.unpriced += record.pricing_status == "unpriced"
        if record.provider_cost_usd is not None and record.cost_usd is not None:
            stated, ours = self.stated_costs.get(model := record.model or "", NOTHING)
            self.stated_costs[model] = (stated + record.provider_cost_usd, ours + record.cost_usd)


class _Source:
    """What lines without a response id are known by, over all its files of one import."""

    def __init__(self, home: Home, label: str) -> None:
        # A name that is not UTF-8 must not stop an import.
        self.label = os.fsencode(label).decode(errors="backslashreplace")
        self.quarantine = RefusedLines(home, self.label)
        self.equal_lines: Counter[str] = Counter()

    def key(self, digest: str) -> str:
        """What the next line of these bytes is known by: equal lines are different calls."""
        self.equal_lines[digest] += 1
        return f"{self.label}:{digest}:{self.equal_lines[digest]}"


def import_files(
    home: Home,
    files: list[Path],
    defaults: Defaults,
    source: str | None = None,
    progress: Callable[[int], None] | None = None,
    mapping: Path | None = None,
    format_name: str | None = None,
) -> ImportReport:
    """Record every call of files in any format. Importing a file again adds nothing to the sealed ledger.

    A call without a response id is known by `source` (default: the file's name), its bytes and its ordinal among the
    equal lines of that source; one without a time takes the response's own, else the file's modification time.
    `progress` is told the bytes done since it was told last. `mapping` explains the columns of tables. A folder
    stands for the JSON lines below it. `format_name` is one of `FORMATS`; by default a file's beginning tells it.

    Raises:
        ImportFileError: a file is unreadable or its last line is cut off; nothing at all is imported then.
        ArgumentError: a default is unusable.
        LedgerError: the home cannot be used; import the files again once it can.
    """
    _check_defaults(home, defaults)
    files = list({file.resolve(): file for path in files for file in files_of(path)}.values())
    formats = Importers(format_name, mapping, defaults)
    importers = [(file, _importer_of(file, formats)) for file in files]
    report = ImportReport()
    sources: dict[str, _Source] = {}
    try:
        for file, importer in importers:
            label = source or file.name
            known = sources.get(label) or sources.setdefault(label, _Source(home, label))
            _import_file(home, file, importer, known, defaults, report, progress or (lambda _: None))
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


def files_of(path: Path) -> list[Path]:
    """What a path stands for: itself, or the JSON lines below a folder.

    Raises:
        ImportFileError: a folder without any.
    """
    if not path.is_dir():
        return [path]
    files = sorted(path.rglob("*.jsonl"))
    if not files:
        raise ImportFileError(f"{path} cannot be read: it is a folder without JSON lines (*.jsonl)")
    return files


def _importer_of(file: Path, formats: Importers) -> Importer:
    """What reads the file, which is whole."""
    if file.exists() and not file.is_file():
        raise ImportFileError(f"{file} cannot be read: it is not a regular file, which can be read twice")
    try:
        importer = formats.of(file)
        importer.check(file)
    except OSError as error:
        raise ImportFileError(f"{file} cannot be read: {error.strerror or error}") from error
    return importer


def _import_file(
    home: Home,
    file: Path,
    importer: Importer,
    source: _Source,
    defaults: Defaults,
    report: ImportReport,
    progress: Callable[[int], None],
) -> None:
    status = file.stat()
    modified, unread = datetime.fromtimestamp(status.st_mtime, UTC), status.st_size
    quarantine = source.quarantine
    with CostTracker(home=home.root, on_unknown_model="record", on_error="raise", quarantine=quarantine) as tracker:
        for call in importer.calls(file):
            report.lines += 1
            digest = hashlib.sha256(call.content).hexdigest()
            key = call.event or source.key(digest)
            try:
                record = tracker.record(**arguments_of(call, defaults, modified, key))
            except (LedgerError, OSError):
                raise  # not the line's fault
            except Exception as error:  # whatever it holds, it stops no other line
                place = {"source": source.label, "line": call.line, "sha256": digest, "idempotency_key": key}
                reason = quarantine.refuse(place, call.fields, printable_error(error), defaults, modified)
                report.refusals.append(RefusedLine(source.label, call.line, reason))
            else:
                quarantine.forget(call.line, digest)
                report.add(record)
            progress(call.size)
            unread -= call.size
    progress(max(unread, 0))
    quarantine.write()
