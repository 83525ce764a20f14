"""Replaying and discarding refused calls: either is done once, whatever crash comes in between."""

import getpass
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tracking import ArgumentError, CostTracker, CostTrackingError, LedgerError, LLMResponse, TrackableRef
from tracking.home import Home
from tracking.journal.quarantine import Quarantine
from tracking.journal.writer import JournalWriter, record_line
from tracking.money import plain_digits
from tracking.rows.prompt import WITHHELD
from tracking.rows.request_type import RequestType
from warehouse.causes import problems
from warehouse.ledger.manifest import Manifest
from warehouse.locks import sealing
from warehouse.quarantine.damaged_columns import record_of
from warehouse.quarantine.refused_calls import RefusedCall, State, identity_in
from warehouse.quarantine.selection import CallSelection
from warehouse.quarantine.settled_calls import SETTLED, Settlement, note, settlements, take_out
from warehouse.quarantine.standing import standing_refusals

OPTIONS = ("status", "attempt", "retry_of", "latency_ms", "ttft_ms", "tenant", "tags", "trace_id", "idempotency_key")
"""What `record()` takes as quarantine keeps it."""
OPEN = (State.WAITING, State.RECORDED, State.REPEATED)


@dataclass(frozen=True, slots=True)
class Missing:
    """What calls did not say when they were refused. It counts where they say nothing, or nothing usable."""

    user: str | None = None
    trackable: str | None = None
    trackable_parent: str | None = None
    request_type: str | None = None
    tenant: str | None = None
    provider: str | None = None
    model: str | None = None
    timezone: tzinfo | None = None
    """Of calls that were made at a time without one."""

    def arguments(self) -> dict[str, Any]:
        """As `record()` takes them.

        Raises:
            ArgumentError: a trackable is not of the form Type:id.
        """
        given: dict[str, Any] = {name: getattr(self, name) for name in ("user", "request_type", "tenant")}
        for name in ("trackable", "trackable_parent"):
            given[name] = None if (text := getattr(self, name)) is None else TrackableRef.parse(text)
        return {name: value for name, value in given.items() if value is not None}


@dataclass(slots=True)
class SettleReport:
    """What became of the selected calls. `known` were recorded already; `failures` could not be, each with why."""

    replayed: int = 0
    discarded: int = 0
    known: int = 0
    failures: list[tuple[RefusedCall, str]] = field(default_factory=list[tuple[RefusedCall, str]])


Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""What shows how far a work of so many calls is: it is told the calls done since it was told last."""


def _unseen(_: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None)


def replay(home: Home, selection: CallSelection, missing: Missing, progress: Progress = _unseen) -> SettleReport:
    """Record refused calls, each at its own time and by the prices of then, and take them out of quarantine.

    A model without a price is recorded unpriced. Doing it again records nothing; neither does a crash at any point, nor
    an application that records the same call itself: a call counts once by its event, as everywhere.

    Raises:
        ArgumentError: an id is of no call, or what is missing is unusable itself.
        LedgerError: the home cannot be used; what was recorded by then counts once all the same.
    """
    report = SettleReport()
    settlements: list[Settlement] = []
    if (request_type := missing.arguments().get("request_type")) is not None:
        RequestType.of(request_type, home.settings().request_types)
    with _quarantine_of(home) as calls:
        open_calls = [call for call in selection.of(calls) if call.state in OPEN]
        with _recorder(home) as (tracker, journal), progress(len(open_calls)) as tell:
            for call in open_calls:
                state = call.state
                if state is State.WAITING:
                    try:
                        _record(tracker, journal, call, missing)
                    except LedgerError:
                        raise  # not the call's fault
                    except (CostTrackingError, ValidationError, ValueError) as error:
                        report.failures.append((call, _told(error)))
                        continue
                    state = State.REPLAYED
                    report.replayed += 1
                else:
                    report.known += 1
                settlements.append(_settlement(call, state, None))
                tell(1)
        _take_out(home, settlements, open_calls)
    return report


def discard(home: Home, selection: CallSelection, why: str | None = None) -> SettleReport:
    """Take refused calls out of quarantine for good. That they were there, and what they cost, stays noted.

    Raises:
        ArgumentError: an id is of no call.
        LedgerError: the home cannot be used.
    """
    with _quarantine_of(home) as calls:
        chosen = [call for call in selection.of(calls) if call.state in OPEN]
        _take_out(home, [_settlement(call, State.DISCARDED, why) for call in chosen], chosen)
    return SettleReport(discarded=len(chosen))


@contextmanager
def _quarantine_of(home: Home) -> Generator[list[RefusedCall], None, None]:
    """The calls of one home; nobody seals, erases or settles others meanwhile."""
    home.settings()
    home.open()
    try:
        with sealing(home):
            yield standing_refusals(home)
    except OSError as error:
        raise LedgerError(f"quarantine of {home.root} cannot be settled: {error.strerror or error}") from error


class _Nowhere(Quarantine):
    """What is refused once more is in quarantine already."""

    def keep(self, *_: object, **__: object) -> Path:
        return self._directory


@contextmanager
def _recorder(home: Home) -> Generator[tuple[CostTracker, JournalWriter], None, None]:
    """Once it is left, everything recorded survives a power loss."""
    journal = JournalWriter(home.journal, "interval")
    nowhere = _Nowhere(home.quarantine)
    try:
        with CostTracker(
            home.root, on_unknown_model="record", on_error="raise", durability="interval", quarantine=nowhere
        ) as tracker:
            yield tracker, journal
    finally:
        journal.close()


def _record(tracker: CostTracker, journal: JournalWriter, call: RefusedCall, missing: Missing) -> None:
    """A line whose row can be read whole becomes that row; every other call is recorded anew."""
    row = record_of(call.entry["columns"]) if "columns" in call.entry else None
    if row is not None:
        journal.append(record_line(row, None))
        return
    replacements = missing.arguments()
    arguments = _arguments(call, missing, replacements)
    while True:
        try:
            tracker.record(**arguments)
        except ArgumentError as error:
            # What a call says itself goes first; where it was refused for that, what is given takes its place.
            if (instead := replacements.pop(error.argument, None)) is None or arguments[error.argument] == instead:
                raise
            arguments[error.argument] = instead
        else:
            return


def _arguments(call: RefusedCall, missing: Missing, replacements: Mapping[str, Any]) -> dict[str, Any]:
    field = call.entry.get
    arguments: dict[str, Any] = {name: field(name) for name in OPTIONS}
    for name in ("user", "request_type", "tenant"):
        arguments[name] = field(name) or replacements.get(name)
    for name in ("trackable", "trackable_parent"):
        arguments[name] = TrackableRef.parse(text) if (text := field(name)) else replacements.get(name)
    response = _answer(call, missing)
    if response.id is not None and "source" in call.entry:
        arguments["idempotency_key"] = None  # of an import: it counts only where the answer has no id
    elif response.id is None and arguments["idempotency_key"] is None:
        arguments["idempotency_key"] = f"quarantine:{call.id}"
    return arguments | {"llm_response": response, "prompt": WITHHELD, "occurred_at": _occurred_at(call, missing)}


def _answer(call: RefusedCall, missing: Missing) -> LLMResponse:
    response = call.response
    if response is None:
        answer = call.entry.get("answer")
        if answer is None:
            raise ArgumentError("answer", "was never read: what the call used is not known")
        provider, model = call.provider or missing.provider, call.model or missing.model
        return LLMResponse.from_provider(answer, provider, model)
    return response if response.model is not None or missing.model is None else replace(response, model=missing.model)


def _occurred_at(call: RefusedCall, missing: Missing) -> datetime:
    try:
        instant = datetime.fromisoformat(str(call.entry.get("occurred_at")))
    except ValueError:
        return call.occurred_at
    if instant.tzinfo is None and missing.timezone is None:
        raise ArgumentError("occurred_at", f"({instant.isoformat()}) has no time zone: give one")
    return instant if instant.tzinfo else instant.replace(tzinfo=missing.timezone)


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(problems(error))
    return str(error) if isinstance(error, CostTrackingError) else type(error).__name__


def _settlement(call: RefusedCall, state: State, why: str | None) -> Settlement:
    entry: Mapping[str, Any] = {
        "kind": call.kind.value,
        "error": call.error,
        "reason": call.reason,
        "provider": call.provider,
        "model": call.model,
        "request_type": call.entry.get("request_type"),
        "occurred_at": call.occurred_at.isoformat(),
        "refused_at": call.refused_at.isoformat(),
        "estimated_usd": None if call.estimated_usd is None else plain_digits(call.estimated_usd),
    }
    return Settlement(call.id, state.value, datetime.now(UTC).isoformat(), _operator(), why, entry)


def _operator() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process without a name of its own
        return "unknown"


def _take_out(home: Home, done: list[Settlement], calls: Iterable[RefusedCall]) -> None:
    """Note what was settled, then let go of it; of what a crash left behind too."""
    if done:
        note(home, done)
    ids = settlements(home).keys()
    with Manifest(home) as manifest:
        manifest.forget_quarantined(call.line for call in calls if call.line is not None and call.id in ids)
    for file in sorted(home.quarantine.glob("*.jsonl")):
        if file.name != SETTLED:
            take_out(file, lambda line, file=file: identity_in(file, line) in ids)
