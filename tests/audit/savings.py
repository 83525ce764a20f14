"""What might be saved. What a call would have cost otherwise is the price calculator's word, in `ledger.what_if_costs`:
what the reports make of it is recomputed; outliers and waste wholly from the rows."""

import math
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.audit.compare import Recomputed
from tests.audit.outcomes import wasted
from tests.audit.rows import Books, Row, grouped, share, start_of, total

CELL = ("reporting_month", "provider", "llm", "request_type")
ELIGIBLE = "grade_student_work"
OUTLYING = 3.5
FEWEST = 30
OUTLIER = (
    *("record_id", "occurred_at", "reporting_date", "tenant", "user_id", "trackable_type", "trackable_id"),
    *("provider", "llm", "request_type", "input_tokens", "output_tokens", "cost_usd"),
)
EVIDENCE = {
    "batch": "calls nobody waits for, at the rates of a batch",
    "wasted_calls": "calls that failed, broke off, were tried again or repeated an answered one",
    "cache": "prompts that began as one sent shortly before did, and were not read from the cache",
    "long_context": "inputs long enough for a dearer tier, at the rates of the first",
    "other_model": "the same tokens at the rates of the cheapest model that could take every call",
    "outliers": "calls far costlier than most of their kind, at the cost of the middle one",
}
CONFIDENCE = {"batch": "high", "wasted_calls": "medium", "cache": "medium"}


def recomputed(books: Books) -> Iterable[Recomputed]:
    costs = _what_if(books.home / "warehouse.duckdb")
    batch = _compared(costs, "batch", "batch_cost_usd", "saving_usd")
    for row in batch:
        row["is_eligible"] = row["request_type"] == ELIGIBLE
    long_context = _compared(costs, "base_rates", "base_rates_cost_usd", "surcharge_usd")
    other = _compared(costs, "other_model", "what_if_cost_usd", "saving_usd", ("what_if_provider", "what_if_llm"))
    for row in (*batch, *long_context):
        del row["left_out_requests"]
    cache, outliers = _cache(costs), _outliers(books)
    yield Recomputed("savings_batch", CELL, batch)
    yield Recomputed("long_context_surcharges", CELL, long_context)
    yield Recomputed("model_what_if", (*CELL, "what_if_provider", "what_if_llm"), other)
    yield Recomputed("savings_cache", CELL, cache)
    yield Recomputed("outlier_requests", ("record_id",), outliers)
    found = [_found("batch", row) for row in batch if row["is_eligible"]]
    found += [_found("cache", row, "missed_") for row in cache]
    found += [_found("long_context", row | {"saving_usd": row["surcharge_usd"]}) for row in long_context]
    found += [_found("other_model", row) for row in _cheapest(other)]
    for rows in grouped(wasted(books), _cell).values():
        sums = {name: total(row[name] for row in rows) for name in ("requests", "cost_usd")}
        found.append(_found("wasted_calls", rows[0] | sums | {"saving_usd": sums["cost_usd"]}))
    for rows in grouped((row | {"reporting_month": _month(row)} for row in outliers), _cell).values():
        above = total(row["cost_usd"] - _to_twelve(row["median_cost_usd"]) for row in rows)
        sums = {"requests": len(rows), "cost_usd": total(row["cost_usd"] for row in rows), "saving_usd": above}
        found.append(_found("outliers", rows[0] | sums))
    yield Recomputed("saving_opportunities", (*CELL, "opportunity"), _counted(found))


def _what_if(warehouse: Path) -> list[Row]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        result = connection.execute("from ledger.what_if_costs")
        names = [column[0] for column in result.description]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return [row | {"reporting_month": _month(row)} for row in rows]


def _month(row: Row) -> Any:
    return start_of("month", row["reporting_date"])


def _cell(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in CELL)


def _compared(costs: list[Row], scenario: str, otherwise: str, saved: str, others: tuple[str, ...] = ()) -> list[Row]:
    key = (*CELL, *others)
    rows: list[Row] = []
    of_scenario = (row for row in costs if row["scenario"] == scenario)
    for values, group in grouped(of_scenario, lambda row: tuple(row[name] for name in key)).items():
        cost, what_if = (total(row[name] for row in group) for name in ("cost_usd", "what_if_cost_usd"))
        rows.append(
            dict(zip(key, values, strict=True))
            | {name: total(row[name] for row in group) for name in ("requests", "left_out_requests")}
            | {"cost_usd": cost, otherwise: what_if, saved: None if None in (cost, what_if) else cost - what_if}
        )
    return rows


def _cache(costs: list[Row]) -> list[Row]:
    rows: list[Row] = []
    of_both = (row for row in costs if row["scenario"] in ("uncached", "cached"))
    for values, group in grouped(of_both, _cell).items():
        sums = {
            (scenario, name): total(row[name] for row in group if row["scenario"] == scenario) or 0
            for scenario in ("uncached", "cached")
            for name in ("requests", "cost_usd", "what_if_cost_usd")
        }
        rows.append(
            dict(zip(CELL, values, strict=True))
            | {
                "cached_requests": sums["uncached", "requests"],
                "cost_usd": sums["uncached", "cost_usd"],
                "uncached_cost_usd": sums["uncached", "what_if_cost_usd"],
                "achieved_saving_usd": sums["uncached", "what_if_cost_usd"] - sums["uncached", "cost_usd"],
                "missed_requests": sums["cached", "requests"],
                "missed_cost_usd": sums["cached", "cost_usd"],
                "missed_saving_usd": sums["cached", "cost_usd"] - sums["cached", "what_if_cost_usd"],
            }
        )
    return rows


def _cheapest(other: list[Row]) -> list[Row]:
    """Of the models that could have taken every call of a cell."""
    able = grouped((row for row in other if row["left_out_requests"] == 0), _cell)
    return [
        min(rows, key=lambda row: (row["what_if_cost_usd"], row["what_if_provider"], row["what_if_llm"]))
        for rows in able.values()
    ]


def _found(opportunity: str, row: Row, prefix: str = "") -> Row:
    is_other = opportunity == "other_model"
    cost, saving = row[f"{prefix}cost_usd"], row[f"{prefix}saving_usd"]
    return {name: row[name] for name in CELL} | {
        "opportunity": opportunity,
        "confidence": CONFIDENCE.get(opportunity, "low"),
        "what_if_provider": row["what_if_provider"] if is_other else None,
        "what_if_llm": row["what_if_llm"] if is_other else None,
        "requests": row[f"{prefix}requests"],
        "cost_usd": cost,
        "saving_usd": saving,
        "share_saved": share(saving, cost),
        "evidence": EVIDENCE[opportunity],
    }


def _counted(found: list[Row]) -> list[Row]:
    """Of one cell and confidence the largest alone counts."""
    saving = [row for row in found if (row["saving_usd"] or 0) > 0]
    for rows in grouped(saving, lambda row: (*_cell(row), row["confidence"])).values():
        largest = min(rows, key=lambda row: (-row["saving_usd"], row["opportunity"]))
        for row in rows:
            row["counted_saving_usd"] = row["saving_usd"] if row is largest else Decimal(0)
    return saving


def _outliers(books: Books) -> list[Row]:
    """By eighths of a doubling of what single calls cost (docs/optimisation.md); of a day the dearest twenty."""
    standing = [call | _standing(books, call) for call in books.calls]
    rows: list[Row] = []
    for calls in grouped((call for call in standing if call["cost_usd"]), _kind).values():
        buckets = [math.floor(_position(call)) for call in calls]
        middle = _middle(buckets)
        spread = max(_middle([abs(bucket - middle) for bucket in buckets]), 1)
        if len(calls) < FEWEST:
            continue
        usual = {"compared_requests": len(calls), "median_cost_usd": 2 ** ((middle + 0.5) / 8) / 1e12}
        for of_day in grouped(calls, lambda call: call["usage_date"]).values():
            for call in sorted(of_day, key=lambda call: (-call["cost_usd"], call["record_id"]))[:20]:
                score = 0.6745 * (_position(call) - middle - 0.5) / spread
                if score > OUTLYING:
                    rows.append({name: call[name] for name in OUTLIER} | usual | {"robust_z": score})
    return rows


def _position(call: Row) -> float:
    return 8 * math.log2(call["cost_usd"].scaleb(12))


def _middle(values: list[int]) -> int:
    """By nearest rank."""
    return sorted(values)[(len(values) + 1) // 2 - 1]


def _kind(row: Row) -> tuple[Any, ...]:
    return row["provider"], row["llm"], row["request_type"]


def _standing(books: Books, call: Row) -> Row:
    later = books.corrections.get(call["record_id"], [])
    names = ("input_tokens", "output_tokens", "cost_usd")
    return {name: total([call[name], *(row[name] for row in later)]) for name in names}


def _to_twelve(amount: float) -> Decimal:
    return Decimal(amount).quantize(Decimal("1e-12"), ROUND_HALF_EVEN)
