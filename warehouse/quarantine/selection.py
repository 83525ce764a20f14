"""Which refused calls are meant: by their ids, or by what is known of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from tracking.errors import ArgumentError
from warehouse.quarantine.refused_calls import RefusalKind, RefusedCall


@dataclass(frozen=True, slots=True)
class CallSelection:
    """Calls that answer to all of it. `ids` may be the beginnings of ids; days are UTC, both included."""

    ids: tuple[str, ...] = ()
    kind: RefusalKind | None = None
    error: str | None = None
    reason: str | None = None
    """A part of it."""
    provider: str | None = None
    model: str | None = None
    user: str | None = None
    tenant: str | None = None
    first: date | None = None
    last: date | None = None

    def of(self, calls: Iterable[RefusedCall]) -> list[RefusedCall]:
        """The calls it means, in their order.

        Raises:
            ArgumentError: an id is none of theirs, or the beginning of several.
        """
        calls = list(calls)
        wanted = {_only(calls, beginning) for beginning in self.ids}
        return [call for call in calls if (not wanted or call.id in wanted) and self._takes(call)]

    def _takes(self, call: RefusedCall) -> bool:
        day, field = call.occurred_at.date(), call.entry.get
        return (
            self.kind in {None, call.kind}
            and self.error in {None, call.error}
            and (self.reason is None or self.reason.casefold() in call.reason.casefold())
            and self.provider in {None, call.provider}
            and self.model in {None, call.model}
            and self.user in {None, field("user")}
            and self.tenant in {None, field("tenant")}
            and (self.first is None or self.first <= day)
            and (self.last is None or day <= self.last)
        )


def _only(calls: list[RefusedCall], beginning: str) -> str:
    ids = {call.id for call in calls if call.id.startswith(beginning)}
    if beginning in ids:
        return beginning
    if len(ids) != 1:
        problem = "is the beginning of several ids" if ids else "is the id of no refused call"
        raise ArgumentError("id", f"({beginning!r}) {problem}")
    return ids.pop()
