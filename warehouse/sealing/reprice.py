"""Re-pricing: what is unpriced gets its price, and a corrected price or rule its difference. Always as correction rows.

A row is never rewritten: a correction of cost alone is appended, with the original's instant and attribution. The price
in force when the call was made applies. Doing it again finds nothing to do.

What a day's rows stand at is read, and their corrections are sealed, under one lock: no final answer, erasure or
retention comes in between. Recording goes on meanwhile; others that seal wait for a day, not for all of them.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from typing import Any, Self, cast

import polars as pl

from tracking import Cost, CostCalculator, LLMUsageRecord
from tracking.assumptions import Assumption, assumptions_from_json, assumptions_json
from tracking.durable_files import replace_file
from tracking.home import Home
from tracking.journal.writer import record_line
from tracking.money import EXACT, to_cost_usd, to_micro_usd
from tracking.pricing.price_files import PriceFiles
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.usage import TOKEN_COUNTS
from warehouse.ledger.corrections import standing_calls
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.segments import HAS_USAGE, scan
from warehouse.sealing.row_prices import Row, cost_of_row
from warehouse.sealing.seal import CHUNK_BYTES, DECIDED, Sealer, seal, sealer_of


@dataclass(slots=True)
class ModelDifference:
    """What re-pricing changes for one model; USD, exact. `before_usd` counts unpriced rows as nothing."""

    provider: str
    model: str | None
    rows: int = 0
    before_usd: Decimal = Decimal(0)
    after_usd: Decimal = Decimal(0)

    @property
    def difference_usd(self) -> Decimal:
        return EXACT.subtract(self.after_usd, self.before_usd)


@dataclass(slots=True)
class AssumptionDifference:
    """How many of the selected calls, and how much of their cost, rest on one assumption, before and after; USD, exact.

    A call that rests on several counts under each.
    """

    calls_before: int = 0
    usd_before: Decimal = Decimal(0)
    calls_after: int = 0
    usd_after: Decimal = Decimal(0)


@dataclass(slots=True)
class RepriceReport:
    """What was corrected, or would be, by model; on what it rests, by assumption; and how many rows stay unpriced."""

    differences: dict[tuple[str, str | None], ModelDifference] = field(
        default_factory=dict[tuple[str, str | None], ModelDifference]
    )
    by_assumption: dict[str, AssumptionDifference] = field(default_factory=dict[str, AssumptionDifference])
    """By the word; what rests on none by its `pricing_status`."""
    still_unpriced: int = 0

    @property
    def rows(self) -> int:
        return sum(difference.rows for difference in self.differences.values())

    @property
    def difference_usd(self) -> Decimal:
        """What all of them change together; USD, exact."""
        with localcontext(EXACT):
            return sum((difference.difference_usd for difference in self.differences.values()), Decimal(0))


@dataclass(frozen=True, slots=True)
class RowSelection:
    """Which rows to price again, of one model, of days from `start` to `end`.

    The unpriced, and with `restate` whatever a price made; what a provider reported itself is no price's.
    """

    model: str | None = None
    start: date | None = None
    end: date | None = None
    restate: bool = False

    def takes(self, day: date) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


def reprice(
    home: Home, selection: RowSelection, *, dry_run: bool = False, progress: Callable[[int], None] | None = None
) -> RepriceReport:
    """Price selected rows again, and append and seal a correction for each whose cost, or what it rests on, changes.

    `progress` is told the rows done since it was told last. With `dry_run` nothing is written but what was recorded
    is sealed first, as by every reader of segments.

    Raises:
        LedgerError: the home cannot be used, or its `prices.toml` is malformed.
    """
    seal(home)
    calculator = CostCalculator(PriceOverrides.load(home.prices_toml))
    prices = PriceFiles(home.prices)
    report = RepriceReport()
    with Manifest(home) as manifest:
        days = sorted({segment.usage_date for segment in manifest.segments()})
    for day in filter(selection.takes, days):
        with sealer_of(home) as sealer, _Corrections(home, sealer) as corrections:
            sealer.seal_all()
            segments = [segment for segment in sealer.manifest.segments() if segment.usage_date == day]
            for row in _selected(home, segments, selection):
                cost = cost_of_row(calculator, prices, row)
                _note_assumptions(report, row, cost)
                if cost is None:
                    report.still_unpriced += row["pricing_status"] == "unpriced"
                elif _stands_at(cost) != (row["cost_usd"], row["pricing_status"], row["price_assumptions"]):
                    _note(report, row, cast(Decimal, cost.cost_usd))
                    if not dry_run:
                        prices.keep(cast(Any, cost.price))
                        corrections.append(record_line(_correction(row, cost), None))
        if progress:
            progress(sum(segment.row_count for segment in segments))
    return report


class _Corrections:
    """Corrections on their way into the ledger, sealed in journals of their own before the sealer's lock is let go."""

    def __init__(self, home: Home, sealer: Sealer) -> None:
        self._home = home
        self._sealer = sealer
        self._lines: list[bytes] = []
        self._bytes = 0

    def append(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= CHUNK_BYTES:
            self._seal()

    def _seal(self) -> None:
        if self._lines:
            journal = self._home.journal / f"{DECIDED}{secrets.token_hex(16)}.log"
            # Whole or not there at all: a crash leaves no half a line.
            replace_file(journal, b"".join(self._lines))
            self._lines, self._bytes = [], 0
            # It alone: what others have recorded meanwhile may concern the rows that are still to be decided.
            self._sealer.seal_journals([journal])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is None:
            self._seal()


def _selected(home: Home, day: list[Segment], selection: RowSelection) -> Iterator[Row]:
    """The day's selected rows as they stand after their corrections, with `corrections`: how many they have had."""
    files = [home.usage / segment.file for segment in day]
    rows = scan(files).collect()
    chosen = ["unpriced", "priced", "estimated"] if selection.restate else ["unpriced"]
    calls = standing_calls(rows).filter(HAS_USAGE, pl.col("pricing_status").is_in(chosen))
    if selection.model is not None:
        calls = calls.filter((pl.col("model") == selection.model) | (pl.col("llm") == selection.model))
    yield from calls.iter_rows(named=True)


def _stands_at(cost: Cost) -> tuple[Decimal | None, str, str | None]:
    return cost.cost_usd, cost.pricing_status, assumptions_json(cost.assumptions)


def _note_assumptions(report: RepriceReport, row: Row, cost: Cost | None) -> None:
    before = assumptions_from_json(row["price_assumptions"])
    for word in _words(before, row["pricing_status"]):
        difference = report.by_assumption.setdefault(word, AssumptionDifference())
        difference.calls_before += 1
        difference.usd_before = EXACT.add(difference.usd_before, row["cost_usd"] or Decimal(0))
    after, status = (before, row["pricing_status"]) if cost is None else (cost.assumptions, cost.pricing_status)
    usd = row["cost_usd"] if cost is None else cost.cost_usd
    for word in _words(after, status):
        difference = report.by_assumption.setdefault(word, AssumptionDifference())
        difference.calls_after += 1
        difference.usd_after = EXACT.add(difference.usd_after, usd or Decimal(0))


def _words(assumptions: Iterable[Assumption], pricing_status: str) -> Iterable[str]:
    return {word for each in assumptions for word in each} or {pricing_status}


def _note(report: RepriceReport, row: Row, after: Decimal) -> None:
    key = (row["provider"], row["model"])
    difference = report.differences.setdefault(key, ModelDifference(*key))
    difference.rows += 1
    difference.before_usd = EXACT.add(difference.before_usd, row["cost_usd"] or Decimal(0))
    difference.after_usd = EXACT.add(difference.after_usd, after)


def _correction(row: Row, cost: Cost) -> LLMUsageRecord:
    """The row that takes what stands to `cost`: no requests, no tokens, the difference in money.

    Everything a report groups by stays the original's, the model's name too, so that both fall into one group.
    """
    after = cast(Decimal, cost.cost_usd)
    delta = to_cost_usd(EXACT.subtract(after, row["cost_usd"] or Decimal(0)))
    identity = f"reprice:{row['record_id']}:{row['corrections']}:{cost.price_id}:{after}"
    if delta == 0:
        identity += f":{cost.pricing_status}:{assumptions_json(cost.assumptions)}"
    fields = {name: row[name] for name in LLMUsageRecord.model_fields}
    fields |= dict.fromkeys((*TOKEN_COUNTS, "token_count", "other_units", "provider_cost_usd"))
    fields |= {
        "record_id": hashlib.sha256(identity.encode()).hexdigest()[:32],
        "recorded_at": datetime.now(UTC),
        "cost_usd": delta,
        "micro_usd": to_micro_usd(delta),
        "pricing_status": cost.pricing_status,
        "price_id": cost.price_id,
        "price_assumptions": assumptions_json(cost.assumptions),
        "charge_class": "correction",
        "corrects_record_id": row["record_id"],
        "corrects_pricing_status": row["pricing_status"],
    }
    return LLMUsageRecord(**fields)
