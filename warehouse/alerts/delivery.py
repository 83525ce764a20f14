"""Delivery: each breach is told once to each recipient, whoever starts it and however often.

What was delivered is kept in `alerts_sent.json`, written after each: a crash repeats at most the one in flight.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from tracking.durable_files import replace_file
from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.alerts.breaches import Breach, Severity, find_breaches
from warehouse.alerts.notifiers import DeliveryError, Notifier, notifier_for
from warehouse.alerts.settings import AlertSettings, Recipient, recipient_name
from warehouse.locks import alerting

SENT = TypeAdapter(dict[str, dict[str, str]])
KEPT = timedelta(days=90)
"""How long a delivery is remembered after its breach was last seen."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a transient failure is tried again, and the seconds before the first time; they double.

    `limit` is how many seconds there are for all the attempts to tell one recipient of one breach.
    """

    attempts: int = 4
    seconds: float = 0.5
    limit: float = 10


@dataclass(frozen=True, slots=True)
class Delivery:
    """One breach for one recipient; `problem` says why it did not arrive."""

    recipient: str
    breach: Breach
    problem: str | None = None


@dataclass(slots=True)
class DeliveryReport:
    """What was told now, and what could not be; `known` were told before."""

    sent: list[Delivery] = field(default_factory=list[Delivery])
    failed: list[Delivery] = field(default_factory=list[Delivery])
    known: int = 0


def send_alerts(home: Home, *, backoff: Backoff | None = None) -> DeliveryReport:
    """Tell every recipient of every breach it was not told of. What fails is left for the next time.

    Raises:
        LedgerError: `alerts.toml` is malformed, a secret is missing, or the reports cannot be read.
    """
    return deliver(home, find_breaches(home), backoff=backoff)


def deliver(home: Home, breaches: Sequence[Breach], *, backoff: Backoff | None = None) -> DeliveryReport:
    """Tell every recipient of these breaches, once ever; see `send_alerts`."""
    recipients = [(name, recipient, notifier_for(recipient)) for name, recipient in _recipients(home)]
    report = DeliveryReport()
    try:
        with alerting(home):
            sent = _DeliveryLog.load(home)
            for name, recipient, notifier in recipients:
                concerning = [breach for breach in breaches if _concerns(recipient, breach)]
                _tell(name, notifier, concerning, sent, report, backoff or Backoff())
            sent.save()
    except OSError as error:
        raise LedgerError(f"{error.filename or home.root} cannot be used: {error.strerror or error}") from error
    return report


def _tell(
    name: str,
    notifier: Notifier,
    breaches: Sequence[Breach],
    log: "_DeliveryLog",
    report: DeliveryReport,
    backoff: Backoff,
) -> None:
    unreachable: str | None = None
    for breach in breaches:
        if log.has(name, breach):
            report.known += 1
            continue
        try:
            if not unreachable:
                _send(notifier, breach, backoff)
                log.note(name, breach)
                report.sent.append(Delivery(name, breach))
                continue
            problem = unreachable
        except DeliveryError as error:
            problem = str(error)
            # Whoever holds up one breach would hold up each of the others as long.
            unreachable = problem if error.transient else None
        report.failed.append(Delivery(name, breach, problem))


def undelivered(home: Home) -> list[Delivery]:
    """What `send_alerts` would tell now; nothing is sent.

    Raises:
        LedgerError: as `send_alerts`.
    """
    breaches = find_breaches(home)
    log = _DeliveryLog.load(home)
    return [
        Delivery(name, breach)
        for name, recipient in _recipients(home)
        for breach in breaches
        if _concerns(recipient, breach) and not log.has(name, breach)
    ]


def _send(notifier: Notifier, breach: Breach, backoff: Backoff) -> None:
    """Tell of it, trying again what may succeed then.

    Raises:
        DeliveryError: it did not arrive, for whatever reason: another recipient is not to suffer from it.
    """
    deadline = time.monotonic() + backoff.limit
    for attempt in range(1, backoff.attempts + 1):
        pause = backoff.seconds * 2 ** (attempt - 1)
        try:
            return notifier.send(breach, deadline - time.monotonic())
        except DeliveryError as error:
            if not error.transient:
                raise
            if attempt == backoff.attempts or time.monotonic() + pause >= deadline:
                tried = f"{attempt} {'time' if attempt == 1 else 'times'}"
                raise DeliveryError(f"{error}, {tried}", transient=True) from error
            time.sleep(pause)
        except Exception as error:
            # Its words may hold what was to be sent, or to where.
            raise DeliveryError(type(error).__name__, transient=False) from None
    return None


def _recipients(home: Home) -> list[tuple[str, Recipient]]:
    return [(recipient_name(number, each), each) for number, each in enumerate(AlertSettings.load(home).notify, 1)]


def _concerns(recipient: Recipient, breach: Breach) -> bool:
    return recipient.minimum is Severity.WARN or breach.severity is Severity.ERROR


class _DeliveryLog:
    """Which breach was told to whom, and when it was last seen."""

    def __init__(self, path: Path, seen: dict[str, str]) -> None:
        self._path = path
        self._seen = seen
        self._now = datetime.now(UTC)

    @classmethod
    def load(cls, home: Home) -> "_DeliveryLog":
        path = home.alerts_sent
        try:
            return cls(path, SENT.validate_json(path.read_bytes())["sent"])
        except FileNotFoundError:
            return cls(path, {})
        except (ValueError, KeyError) as error:
            raise LedgerError(f"{path} is not what alerts wrote; remove it, and every breach is told again") from error

    def has(self, recipient: str, breach: Breach) -> bool:
        place = self._place(recipient, breach)
        if place not in self._seen:
            return False
        self._seen[place] = self._now.isoformat()
        return True

    def note(self, recipient: str, breach: Breach) -> None:
        self._seen[self._place(recipient, breach)] = self._now.isoformat()
        self.save()

    def save(self) -> None:
        oldest = (self._now - KEPT).isoformat()
        kept = {place: at for place, at in sorted(self._seen.items()) if at >= oldest}
        replace_file(self._path, json.dumps({"sent": kept}, ensure_ascii=False, indent=1).encode())

    def _place(self, recipient: str, breach: Breach) -> str:
        return f"{recipient} {breach.key}"
