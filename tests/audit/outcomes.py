"""What became of calls: errors, waste, how long they took."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from tests.audit.compare import Recomputed
from tests.audit.rows import Books, Row, grouped, measures, share, start_of, total, with_shares

PERCENTS = (50, 90, 99)


def recomputed(books: Books) -> Iterable[Recomputed]:
    yield _errors(books)
    key = ("reporting_month", "provider", "llm", "request_type", "waste")
    yield Recomputed("wasted_spend", key, wasted(books))
    yield _performance(books)


def _errors(books: Books) -> Recomputed:
    key = ("reporting_date", "provider", "llm", "request_type", "status", "error_type")

    def outcome(row: Row) -> tuple[object, ...]:
        standing = row["standing"]
        error = standing["error_type"] if standing["status"] == "error" else None
        return (
            row["reporting_date"],
            row["provider"],
            books.known_llm(row),
            row["request_type"],
            standing["status"],
            error,
        )

    rows = [
        dict(zip(key, values, strict=True))
        | {"retry_requests": sum(row["requests"] for row in group if row["is_retry"])}
        | measures(group)
        for values, group in grouped(books.rows, outcome).items()
    ]
    rows = with_shares(rows, lambda row: tuple(row[name] for name in key[:4]), share_of_requests="requests")
    return Recomputed("error_rates_daily", key, rows)


def wasted(books: Books) -> list[Row]:
    key = ("reporting_month", "provider", "llm", "request_type", "waste")
    reasons = _reasons(books)
    groups = grouped(
        books.rows,
        lambda row: (
            start_of("month", row["reporting_date"]),
            row["provider"],
            books.known_llm(row),
            row["request_type"],
            reasons[row["call_id"]],
        ),
    )
    summed = ("requests", "unpriced_requests", "token_count", "cost_usd")
    rows = [
        dict(zip(key, values, strict=True)) | {name: total(row[name] for row in group) for name in summed}
        for values, group in groups.items()
    ]
    rows = with_shares(rows, lambda row: row["reporting_month"], share_of_cost="cost_usd")
    return [row for row in rows if row["waste"] != "none"]


def _reasons(books: Books) -> dict[str, str]:
    """Why each call was paid for in vain, by its id: the first reason that applies."""
    tried_again = {(call["usage_date"], call["retry_of"]) for call in books.calls}
    repeats: set[str] = set()
    asked = ("usage_date", "provider", "llm", "request_type", "tenant", "user_id", "thing", "prompt_hmac")
    answered = [call for call in books.calls if call["prompt_hmac"] and call["standing"]["status"] == "ok"]
    for same in grouped(answered, lambda row: tuple(row[name] for name in asked)).values():
        in_order = sorted(same, key=lambda row: (row["occurred_at"], row["record_id"]))
        repeats |= {row["record_id"] for row in in_order[1:]}
    reasons: dict[str, str] = {}
    for call in books.calls:
        status, record_id = call["standing"]["status"], call["record_id"]
        if status != "ok":
            reasons[record_id] = "failed" if status == "error" else "partial"
        elif (call["usage_date"], record_id) in tried_again:
            reasons[record_id] = "retried"
        else:
            reasons[record_id] = "duplicate" if record_id in repeats else "none"
    return reasons


def _performance(books: Books) -> Recomputed:
    key = ("reporting_date", "provider", "llm")
    rows: list[Row] = []
    for values, group in grouped(
        books.rows, lambda row: (row["reporting_date"], row["provider"], books.known_llm(row))
    ).items():
        calls = [row for row in group if row["requests"]]
        failed = sum(call["standing"]["status"] == "error" for call in calls)
        hours = {hour: sum(row["requests"] for row in rows) for hour, rows in grouped(group, _hour).items()}
        peak = min(hours, key=lambda hour: (-hours[hour], hour))
        rows.append(
            dict(zip(key, values, strict=True))
            | {
                "requests": len(calls),
                "failed_requests": failed,
                "partial_requests": sum(call["standing"]["status"] == "partial" for call in calls),
                "error_rate": share(failed, len(calls)),
                "peak_hour": peak,
                "peak_hour_requests": hours[peak],
            }
            | _times([call for call in calls if call["standing"]["status"] == "ok"])
        )
    return Recomputed("performance_per_model_day", key, rows)


def _hour(row: Row) -> int:
    return row["reporting_hour"]


def _times(answered: list[Row]) -> Row:
    timed = [call for call in answered if call["latency_ms"] is not None]
    first = [call["ttft_ms"] for call in answered if call["ttft_ms"] is not None]
    latencies = [call["latency_ms"] for call in timed]
    speed = share(
        total(call["output_tokens"] for call in timed),
        total(call["latency_ms"] for call in timed if call["output_tokens"] is not None),
    )
    return (
        {
            "timed_requests": len(timed) or None,
            "ttft_requests": len(first) or None,
            "mean_latency_ms": share(total(latencies), len(timed)),
            "output_tokens_per_second": None if speed is None else 1000 * speed,
        }
        | {f"latency_p{percent}_ms": quantile(latencies, Fraction(percent, 100)) for percent in PERCENTS}
        | {f"ttft_p{percent}_ms": quantile(first, Fraction(percent, 100)) for percent in PERCENTS}
    )


def quantile(values: Sequence[int], part: Fraction) -> float | None:
    """By nearest rank, of the sorted values themselves; shown as the middle of its eighth of a doubling."""
    if not values:
        return None
    value = sorted(values)[max(math.ceil(part * len(values)), 1) - 1]
    return 0.0 if value == 0 else float(2 ** ((math.floor(8 * math.log2(value)) + 0.5) / 8))
