"""The rows of many calls in few writes; none of them is kept from the ledger because another was refused."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tracking.errors import LedgerError, RefusedCallsError
from tracking.rows.options import CallOptions
from tracking.rows.record import LLMUsageRecord

WRITE_BYTES = 8 * 1024 * 1024
"""How much is held back at most before it is written."""


@dataclass(frozen=True, slots=True)
class GivenCall:
    """One call as it was given: `record()`'s required arguments by name, and the others."""

    arguments: dict[str, object]
    options: CallOptions


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was refused, and where it was kept."""

    error: BaseException
    kept: object


class ManyCalls:
    """Rows on their way to the journal. `keep` puts a refused call into quarantine and says where."""

    def __init__(
        self, write: Callable[[Iterable[bytes]], None], keep: Callable[[BaseException, GivenCall], object]
    ) -> None:
        self.records: list[LLMUsageRecord | None] = []
        """A row for each call so far; `None` where it was refused."""
        self.refusals: dict[int, Refusal] = {}
        """By the call's place in `records`."""
        self._write = write
        self._keep = keep
        self._waiting: list[tuple[int, bytes, GivenCall]] = []
        self._bytes = 0

    def add(self, record: LLMUsageRecord, line: bytes, call: GivenCall) -> None:
        self._waiting.append((len(self.records), line, call))
        self.records.append(record)
        self._bytes += len(line)
        if self._bytes >= WRITE_BYTES:
            self.write()

    def refuse(self, error: BaseException, call: GivenCall) -> None:
        self.refusals[len(self.records)] = Refusal(error, self._keep(error, call))
        self.records.append(None)

    def write(self) -> None:
        """Write what waits, in one `write()`; what the disk refuses is refused."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        try:
            self._write([line for _, line, _ in waiting])
        except LedgerError as error:
            for place, _, call in waiting:
                self.refusals[place] = Refusal(error, self._keep(error, call))
                self.records[place] = None

    def refused(self, told: Callable[[BaseException], Exception]) -> RefusedCallsError:
        """The error that says so; `told` gives what may be said of one call's."""
        errors = {place: told(self.refusals[place].error) for place in sorted(self.refusals)}
        kept: Any = self.refusals[min(self.refusals)].kept
        return RefusedCallsError(errors, self.records, kept)
