"""What `quarantine/` holds, one call each: refused by a tracker or by an import, or a damaged line of a journal.

A call is waiting until it is replayed or discarded, or the application has recorded it itself after all. The files are
read as they are; of calls that earlier versions kept, what they cost is estimated when they are read.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from tracking import CostCalculator, CostTrackingError, LLMResponse
from tracking.home import Home
from tracking.journal.kept_response import estimated_usd, read_response, response_of_part
from tracking.pricing.sources.overrides import PriceOverrides
from warehouse.ledger.manifest import QuarantinedLine
from warehouse.ledger.quarantine import DamagedEntryError, read_entry
from warehouse.ledger.segment_names import ByteRange
from warehouse.quarantine.damaged_columns import cost_of_columns, entry_of_columns, readable_columns
from warehouse.quarantine.settled_calls import SETTLED, Settlement, settlements

TORN = "torn last line of a writer that is gone"
"""Why a journal's line is no record where it was never acknowledged: its `write()` did not return."""

YEARS = range(1971, 9999)
MOST_USD = 10**15

Entry = Mapping[str, Any]


class RefusalKind(StrEnum):
    """Who refused a call, or what its line was."""

    CALL = "call"
    IMPORT = "import"
    JOURNAL = "journal"


class State(StrEnum):
    """What became of a refused call.

    `recorded`: the ledger holds it, since it was recorded again. `repeated`: the same call was refused before.
    """

    WAITING = "waiting"
    RECORDED = "recorded"
    REPEATED = "repeated"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """One call that no report holds. `estimated_usd` is exact USD by its own counts; `None` where it is not known."""

    id: str
    kind: RefusalKind
    state: State
    error: str
    reason: str
    refused_at: datetime
    occurred_at: datetime
    """When the call was made; where it does not say, when it was refused."""
    entry: Entry
    """What is kept of it, by name. Of a settled one: what was noted."""
    response: LLMResponse | None
    estimated_usd: Decimal | None
    file: Path | None = None
    line: QuarantinedLine | None = None
    """Of a journal: its place there."""
    settlement: Settlement | None = None

    @property
    def provider(self) -> str | None:
        return self.entry.get("provider") or getattr(self.response, "provider", None)

    @property
    def model(self) -> str | None:
        return self.entry.get("model") or getattr(self.response, "model", None)

    @property
    def was_acknowledged(self) -> bool:
        """Whether its application was told that it is recorded."""
        return self.line is not None and self.line.reason != TORN


def refused_calls(home: Home) -> Iterator[RefusedCall]:
    """Every call that quarantine keeps, and every one that was settled, by file and line.

    Raises:
        LedgerError: `prices.toml` of the home is malformed.
        OSError: a file cannot be read.
    """
    settled = settlements(home)
    for settlement in settled.values():
        yield _settled(settlement)
    reader = _Reader(home)
    for file in sorted(home.quarantine.glob("*.jsonl")):
        if file.name != SETTLED:
            yield from (call for call in reader.calls(file) if call.id not in settled)


def identity_in(file: Path, text: bytes) -> str | None:
    """By what the call of one line is known; `None` where it is blank or half written."""
    entry = _parsed(text)
    return None if entry is None else _identity(file, text, entry)


def _identity(file: Path, text: bytes, entry: Entry) -> str:
    """The id it was given; before there were ids, a hash of what is kept."""
    if isinstance(given := entry.get("id"), str):
        return given
    if "journal" in entry and "offset" in entry:
        return _hash(f"{entry['journal']}:{entry['offset']}".encode())
    return _hash(f"{file.name}:".encode() + text.strip())


def _settled(settlement: Settlement) -> RefusedCall:
    entry = settlement.said
    return RefusedCall(
        id=settlement.id,
        kind=RefusalKind(entry["kind"]),
        state=State(settlement.state),
        error=entry["error"],
        reason=entry["reason"],
        refused_at=datetime.fromisoformat(entry["refused_at"]),
        occurred_at=datetime.fromisoformat(entry["occurred_at"]),
        entry=entry,
        response=None,
        estimated_usd=_usd(entry["estimated_usd"]),
        settlement=settlement,
    )


class _Reader:
    """Reads the files of one home."""

    def __init__(self, home: Home) -> None:
        self._prices_toml = home.prices_toml
        self._calculator: CostCalculator | None = None

    def calls(self, file: Path) -> Iterator[RefusedCall]:
        try:
            written_at, lines = datetime.fromtimestamp(file.stat().st_mtime, UTC), _lines(file)
        except FileNotFoundError:  # retention took it meanwhile
            return
        is_of_journal = ByteRange.named(file.stem) is not None
        for text in lines:
            if (entry := _parsed(text)) is None:
                continue
            identity = _identity(file, text, entry)
            if not is_of_journal:
                yield self._call(file, identity, entry, written_at)
            elif not isinstance(line := _line_of(text), DamagedEntryError):
                yield self._journal_line(file, identity, entry, line, written_at)

    def _call(
        self, file: Path, identity: str, entry: Entry, written: datetime, line: QuarantinedLine | None = None
    ) -> RefusedCall:
        refused_at = _instant(entry.get("refused_at")) or written
        occurred_at = _instant(entry.get("occurred_at")) or refused_at
        response = _response(entry)
        if "estimated_usd" in entry:
            usd = _usd(entry["estimated_usd"])
        else:
            usd = self._estimated(response, occurred_at, entry.get("tenant"))
        if usd is None and line is not None:
            usd = cost_of_columns(entry["columns"])
        kind = (
            RefusalKind.JOURNAL
            if line
            else RefusalKind.IMPORT
            if "source" in entry and "line" in entry
            else RefusalKind.CALL
        )
        return RefusedCall(
            identity,
            kind,
            State.WAITING,
            str(entry.get("error") or "LedgerError"),
            str(entry.get("reason") or "is not said"),
            refused_at,
            occurred_at,
            entry,
            response,
            usd,
            file,
            line,
        )

    def _journal_line(
        self, file: Path, identity: str, entry: Entry, line: QuarantinedLine, written_at: datetime
    ) -> RefusedCall:
        """A damaged line: what of its columns can still be read is what is known of the call."""
        columns = readable_columns(base64.b64decode(entry["line_base64"]).decode(errors="replace"))
        said = {"error": "DamagedLine", "reason": line.reason, **entry_of_columns(columns), "columns": columns}
        return self._call(file, identity, said, written_at, line)

    def _estimated(self, response: LLMResponse | None, at: datetime, tenant: str | None) -> Decimal | None:
        if response is None:
            return None
        if self._calculator is None:
            self._calculator = CostCalculator(PriceOverrides.load(self._prices_toml))
        return estimated_usd(self._calculator, response, at, tenant)


def _lines(file: Path) -> Iterable[bytes]:
    return file.read_bytes().splitlines(keepends=True)


def _parsed(text: bytes) -> Entry | None:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast(Entry, entry) if isinstance(entry, dict) else None


def _line_of(text: bytes) -> QuarantinedLine | DamagedEntryError:
    try:
        return read_entry(text)
    except DamagedEntryError as error:
        return error


def _response(entry: Entry) -> LLMResponse | None:
    """The answer as it would have been recorded. Earlier versions kept its parts as its provider names them."""
    if isinstance(part := entry.get("response"), dict):
        try:
            return response_of_part(cast("dict[str, Any]", part))
        except (CostTrackingError, KeyError, TypeError, ValueError, ArithmeticError):
            return None
    return read_response(entry.get("answer"), entry.get("provider"), entry.get("model"))


def _instant(text: object) -> datetime | None:
    """An instant that reports can be made of, in whatever time zone; `None` where it is none."""
    try:
        instant = datetime.fromisoformat(str(text))
        return instant.astimezone(UTC) if instant.tzinfo and instant.year in YEARS else None
    except (ValueError, OverflowError):
        return None


def _usd(text: object) -> Decimal | None:
    """An amount that reports can add up."""
    try:
        usd = Decimal(str(text))
        return usd if usd.is_finite() and abs(usd) < MOST_USD else None
    except ArithmeticError:
        return None


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
