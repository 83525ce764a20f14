"""Which rows count: a record once, an event by its most complete row, a reused id by every row.

Same event, same attribution, every counter at least the earlier one's: the later row supersedes the earlier. Where one
of them is a stream that broke off, neither order nor clocks decide: its final answer stands, whenever it was recorded,
and of two partial ones the more complete. Superseding a row that is already sealed is a correction, so a segment is
never wrong. Anything else under one key is a reused id: both rows count, as a conflict.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import localcontext
from typing import Any

import polars as pl

from tracking.money import EXACT, to_micro_usd
from tracking.rows.record import LLMUsageRecord
from tracking.terms import context_from_json, terms_of_tier
from tracking.usage import units_from_json, units_json
from warehouse.ledger.corrections import COUNTERS, LAST_SAID, MONEY, has_failed, standing_calls
from warehouse.ledger.manifest import Conflict
from warehouse.ledger.schema import USAGE_SCHEMA

Row = dict[str, Any]

PARTIAL = "partial"
MOMENT = timedelta(microseconds=1)
"""The least by which instants of the ledger differ."""

ATTRIBUTION = (
    "user_id",
    "trackable_type",
    "trackable_id",
    "trackable_parent_type",
    "trackable_parent_id",
    "request_type",
    "provider",
    "model",
    "tenant",
)


@dataclass(slots=True)
class Settled:
    """The rows of a batch that count, and what was found on the way."""

    rows: pl.DataFrame
    duplicates: int
    superseded: set[str]
    conflicts: list[Conflict]


@dataclass(slots=True)
class _Standing:
    """A row that counts, as it stands after its corrections."""

    row: Row
    """The row itself: its id and attribution."""
    counts: Row
    """What it stands at, as a row."""
    recorded_at: datetime
    """When it was last said how it stands."""
    counted_at: datetime
    """When it was last said what it used; its price may have been corrected since."""
    sealed: bool


@dataclass(slots=True)
class _Outcome:
    dropped: set[str] = field(default_factory=set[str])
    corrections: list[Row] = field(default_factory=list[Row])
    conflicts: list[Conflict] = field(default_factory=list[Conflict])


def settle(batch: pl.DataFrame, ledger_rows: pl.LazyFrame | None, superseded: Set[str] = frozenset()) -> Settled:
    """Settle a batch (USAGE_SCHEMA and `prompt`, in journal order) against itself and what is sealed.

    `superseded` are records known to have been replaced before; delivered again they are duplicates.
    """
    once = batch
    if batch["record_id"].n_unique() < batch.height:
        once = batch.unique("record_id", keep="first", maintain_order=True)
    if superseded:
        once = once.filter(~pl.col("record_id").is_in(list(superseded)))
    sealed_rows = _sealed_rows(once, ledger_rows)
    fresh = once
    if sealed_rows.height:
        fresh = once.join(sealed_rows.select("record_id"), on="record_id", how="anti", maintain_order="left")
    duplicates = batch.height - fresh.height

    # A correction says itself which row it is about; it has nothing to settle.
    usage = pl.col("charge_class") == "usage"
    keys = fresh.filter(usage & pl.col("event_key").is_not_null())["event_key"]
    contested = set(keys.filter(keys.is_duplicated())) | (set(keys) & set(sealed_rows["event_key"].drop_nulls()))
    if not contested:
        return Settled(fresh, duplicates, set(), [])

    of_event = pl.col("event_key").is_in(list(contested))
    with localcontext(EXACT):
        sealed_calls = standing_calls(sealed_rows.filter(of_event))
        outcome = _settle_events(sealed_calls.to_dicts(), fresh.filter(of_event & usage).to_dicts())
    rows = fresh.filter(~pl.col("record_id").is_in(list(outcome.dropped)))
    if outcome.corrections:
        corrections = pl.DataFrame(outcome.corrections, schema=rows.schema)
        rows = pl.concat([rows, corrections])
    return Settled(rows, duplicates, outcome.dropped, outcome.conflicts)


def _sealed_rows(batch: pl.DataFrame, ledger_rows: pl.LazyFrame | None) -> pl.DataFrame:
    """What is sealed of the batch's records and events."""
    if ledger_rows is None:
        return pl.DataFrame(schema=USAGE_SCHEMA)
    events = batch["event_key"].drop_nulls().unique().to_list()
    records = batch["record_id"].to_list()
    return ledger_rows.filter(pl.col("record_id").is_in(records) | pl.col("event_key").is_in(events)).collect()


def _settle_events(sealed: Iterable[Row], fresh: Iterable[Row]) -> _Outcome:
    calls: dict[str, list[_Standing]] = defaultdict(list)
    for row in sorted(sealed, key=lambda row: (row["recorded_at"], row["record_id"])):
        calls[row["event_key"]].append(_Standing(row, row, row["last_recorded_at"], row["counted_at"], sealed=True))
    outcome = _Outcome()
    for row in sorted(fresh, key=lambda row: row["recorded_at"]):
        _settle_one(row, calls[row["event_key"]], outcome)
    return outcome


def _settle_one(row: Row, candidates: list[_Standing], outcome: _Outcome) -> None:
    at: datetime = row["recorded_at"]
    kin = [candidate for candidate in candidates if all(candidate.row[name] == row[name] for name in ATTRIBUTION)]
    if any(_replaces(candidate.counts, row, is_later=candidate.counted_at >= at) for candidate in kin):
        outcome.dropped.add(row["record_id"])
        return
    replaced = [candidate for candidate in kin if _replaces(row, candidate.counts, is_later=at >= candidate.counted_at)]
    if replaced:
        _supersede(max(replaced, key=_completeness), row, outcome)
        return
    if candidates:
        outcome.conflicts.append(Conflict(row["event_key"], row["record_id"]))
    candidates.append(_Standing(row, row, at, at, sealed=False))


def _replaces(one: Row, other: Row, *, is_later: bool) -> bool:
    """Whether an event stands at `one`, of two rows of it that agree on whose it is."""
    if one["cost_usd"] is None and other["cost_usd"] is not None:
        return False  # no price is lost
    partial, other_partial = one["status"] == PARTIAL, other["status"] == PARTIAL
    if partial and other_partial:
        return _covers(one, other) and (is_later or not _covers(other, one))
    if partial or other_partial:
        # The estimate of a stream that broke off may be more than was used in the end.
        is_estimate = other["pricing_status"] != "priced"
        return other_partial and (is_estimate or _covers(one, other) or _covers(other, one))
    return is_later and _covers(one, other)


def _completeness(rival: _Standing) -> tuple[object, ...]:
    """Among several that a row could supersede it is the most complete one, however they came to be sealed."""
    measures = [rival.counts[name] for name in (*COUNTERS, "cost_usd")]
    return (*(-1 if measure is None else measure for measure in measures), rival.recorded_at)


def _covers(one: Row, other: Row) -> bool:
    """Every counter at least the other one's."""
    return _at_least({name: one[name] for name in COUNTERS}, {name: other[name] for name in COUNTERS}) and _at_least(
        units_from_json(one["other_units"]), units_from_json(other["other_units"])
    )


def _at_least(one: Row, other: Row) -> bool:
    return all(count is None or (one.get(name) is not None and one[name] >= count) for name, count in other.items())


def _supersede(rival: _Standing, row: Row, outcome: _Outcome) -> None:
    rival.counted_at = row["recorded_at"]
    if rival.sealed:
        outcome.dropped.add(row["record_id"])
        # What was last said counts: after a clock that stepped back it is later all the same.
        row = {**row, "recorded_at": max(row["recorded_at"], rival.recorded_at + MOMENT)}
        outcome.corrections.append(_correction(rival, row))
    else:
        outcome.dropped.add(rival.row["record_id"])
        rival.row = row
    rival.counts, rival.recorded_at = row, row["recorded_at"]


def _correction(rival: _Standing, row: Row) -> Row:
    """The row that turns what is sealed into `row`: deltas, under the later row's own record_id."""
    deltas = {name: _difference(row[name], rival.counts[name]) for name in (*COUNTERS, *MONEY)}
    cost = deltas["cost_usd"]
    earlier, units = units_from_json(rival.counts["other_units"]), units_from_json(row["other_units"])
    correction = {
        **rival.row,
        **deltas,
        "micro_usd": None if cost is None else to_micro_usd(cost),
        "record_id": row["record_id"],
        "recorded_at": row["recorded_at"],
        **{name: row[name] for name in LAST_SAID},
        "price_context": _price_context(rival.row["service_tier"], row),
        "other_units": units_json({name: quantity - earlier.get(name, 0) for name, quantity in units.items()}),
        "charge_class": "correction",
        "corrects_record_id": rival.row["record_id"],
        "corrects_pricing_status": "failed" if has_failed(rival.counts) else rival.counts["pricing_status"],
    }
    fields = LLMUsageRecord.model_fields
    LLMUsageRecord.model_validate({name: correction[name] for name in fields})
    return {**correction, "prompt": row["prompt"]}


def _price_context(service_tier: str | None, row: Row) -> str | None:
    """By what `row` was priced, as the column `price_context` of a row that was filed under this tier."""
    if row["service_tier"] == service_tier:
        return row["price_context"]
    terms = {**terms_of_tier(row["service_tier"]), **context_from_json(row["price_context"])}
    return json.dumps(terms, sort_keys=True) if terms else None


def _difference(later: Any, earlier: Any) -> Any:
    if later is None and earlier is None:
        return None
    return (later or 0) - (earlier or 0)
