"""What refused calls stand at now: the application may have recorded one itself since it was refused."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from tracking.errors import LedgerError
from tracking.home import Home
from tracking.rows.identity import event_key_of, record_id_of
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.segments import scan
from warehouse.quarantine.refused_calls import RefusedCall, State, refused_calls

CLOCKS_APART = timedelta(days=1)
"""By how much a call recorded again may lie before the one that was refused."""


def standing_refusals(home: Home) -> list[RefusedCall]:
    """Every refused call, those marked as recorded that the sealed ledger holds under the very same record.

    Raises:
        LedgerError: the home's manifest, segments or `prices.toml` cannot be used.
        OSError: a file of quarantine cannot be read.
    """
    calls = list(refused_calls(home))
    waiting = [call for call in calls if call.state is State.WAITING]
    records = {call.id: record for call in waiting if (record := record_id(call))}
    if not records:
        return calls
    with Manifest(home) as manifest:
        segments, superseded = manifest.segments(), manifest.superseded()
    first = min(call.occurred_at for call in waiting)
    recorded_ids = _sealed(home, segments, first, set(records.values())) | superseded
    seen_ids: set[str] = set()
    refusals: list[RefusedCall] = []
    for call in calls:
        record = records.get(call.id)
        state = State.RECORDED if record in recorded_ids else State.REPEATED if record in seen_ids else call.state
        if record is not None:
            seen_ids.add(record)
        refusals.append(call if state is call.state else replace(call, state=state))
    return refusals


def record_id(call: RefusedCall) -> str | None:
    """The record that the call makes wherever it is recorded; `None` where nothing says which event it was."""
    if isinstance(known := call.entry.get("columns", {}).get("record_id"), str):
        return known
    if call.response is None:
        return None
    event_key = event_key_of(call.response, call.entry.get("idempotency_key"))
    if event_key is None:
        return None
    usage = call.response.usage
    return record_id_of(event_key, usage, usage.other_units_json(), call.entry.get("status") or call.response.status)


def _sealed(home: Home, segments: Iterable[Segment], first: datetime, records: set[str]) -> set[str]:
    earliest = (first - CLOCKS_APART).date()
    files = [home.usage / each.file for each in segments if each.row_count and each.usage_date >= earliest]
    rows = scan(files).select("record_id").filter(pl.col("record_id").is_in(list(records)))
    try:
        return set(rows.collect()["record_id"])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise LedgerError(f"segments of {home.root} cannot be read: {error}; `llm-cost verify` names them") from error
