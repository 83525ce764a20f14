"""The rows of many calls in few writes; none of them is kept from the ledger because another was refused."""

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tracking.calls.given import GivenCall, told
from tracking.errors import LedgerError, RefusedCallsError
from tracking.interrupts import raise_interrupt_behind
from tracking.rows.record import LLMUsageRecord

WRITE_BYTES = 8 * 1024 * 1024
"""How much is held back at most before it is written."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was refused, and where it was kept."""

    error: BaseException
    kept: object


Waiting = tuple[int, bytes, GivenCall]
"""A call's place, its line, and itself."""


class ManyCalls:
    """Rows on their way to the journal.

    `keep` puts a refused call into quarantine and says where; `place_of` says which journal holds some lines.
    """

    def __init__(
        self,
        write: Callable[[Iterable[bytes]], None],
        keep: Callable[[BaseException, GivenCall], object],
        place_of: Callable[[bytes], object],
    ) -> None:
        self.records: list[LLMUsageRecord | None] = []
        """A row for each call so far; `None` where it was refused."""
        self.refusals: dict[int, Refusal] = {}
        """By the call's place in `records`."""
        self._write = write
        self._keep = keep
        self._place_of = place_of
        self._waiting: list[Waiting] = []
        self._bytes = 0
        self._tried = False

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
        """Write what waits, in one `write()`; what the disk refuses is refused. Where an interrupt came, once more."""
        if self._tried and self._place_of(b"".join([line for _, line, _ in self._waiting])) is not None:
            self._tried, self._waiting, self._bytes = False, [], 0
        self._tried = True
        self._write_in_parts(self._waiting)
        self._tried, self._waiting, self._bytes = False, [], 0

    def _write_in_parts(self, waiting: list[Waiting]) -> None:
        try:
            self._write([line for _, line, _ in waiting])
        except LedgerError as error:
            raise_interrupt_behind(error)
            if len(waiting) > 1 and isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EFBIG:
                half = len(waiting) // 2
                self._write_in_parts(waiting[:half])
                self._write_in_parts(waiting[half:])
                return
            for place, line, call in waiting:
                self.refusals[place] = Refusal(error, self._place_of(line) or self._keep(error, call))
                self.records[place] = None

    def refused(self) -> RefusedCallsError:
        """The error that says so."""
        errors = {place: told(self.refusals[place].error) for place in sorted(self.refusals)}
        kept: Any = self.refusals[min(self.refusals)].kept
        return RefusedCallsError(errors, self.records, kept)
