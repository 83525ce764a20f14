"""FOCUS and the reconciliation of invoices, by docs/finance.md."""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from tests.audit.compare import Recomputed
from tests.audit.movers import part
from tests.audit.rows import COUNTS, Books, Row, grouped, months_later, start_of, total

CHARGE = (
    *("usage_date", "billing_month", "is_late", "tenant", "request_type", "provider", "llm", "model"),
    *("service_tier", "region", "tags", "unit"),
)
DIGIT = Decimal("0.000000000001")


def recomputed(books: Books) -> Iterable[Recomputed]:
    yield _focus(books)
    yield _reconciled(books)


def _focus(books: Books) -> Recomputed:
    discounts = _discounts(books)
    charges: list[Row] = []
    for call in books.calls:
        in_order = sorted(
            books.corrections.get(call["record_id"], []), key=lambda row: (row["recorded_at"], row["record_id"])
        )
        unit = "Tokens" if any(row["token_count"] is not None for row in (call, *in_order)) else "Requests"
        stands, listed = None, Decimal(0)
        for row in (call, *in_order):
            stands = total((stands, row["cost_usd"]))
            at_list = None if stands is None else before_discount(stands, *discounts.get(row["price_id"], (0, 0)))
            charges.append(row | _dated(row) | {"unit": unit, "list_cost_usd": (at_list or Decimal(0)) - listed})
            listed = at_list or Decimal(0)
    rows = [_charge(dict(zip(CHARGE, key, strict=True)), group) for key, group in grouped(charges, _charged).items()]
    key = (
        *("ChargePeriodStart", "BillingPeriodStart", "ChargeClass", "SubAccountId", "x_RequestType", "ProviderName"),
        *("SkuId", "x_Model", "x_ServiceTier", "RegionId", "Tags", "ConsumedUnit"),
    )
    return Recomputed("focus_cost_and_usage", key, rows)


def _charged(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in CHARGE)


def _dated(row: Row) -> Row:
    """A correction made after the month of its call is billed with the month that it was made in."""
    month = start_of("month", row["usage_date"])
    made = month if row["requests"] else start_of("month", row["recorded_at"].astimezone(UTC).date())
    return {"billing_month": max(month, made), "is_late": made > month}


def _charge(key: Row, rows: list[Row]) -> Row:
    unit, provider, sku = key["unit"], key["provider"], key["llm"] or key["model"] or "unknown model"
    quantity = Decimal(total(row["token_count" if unit == "Tokens" else "requests"] for row in rows) or 0)
    cost = total(row["cost_usd"] for row in rows) or Decimal(0)
    sums = {name: total(row[name] for row in rows) for name in COUNTS}
    return {
        "BillingAccountId": "default",
        "BillingAccountName": None,
        "SubAccountId": key["tenant"],
        "InvoiceId": None,
        "BillingPeriodStart": midnight(key["billing_month"]),
        "BillingPeriodEnd": midnight(months_later(key["billing_month"], 1)),
        "ChargePeriodStart": midnight(key["usage_date"]),
        "ChargePeriodEnd": midnight(key["usage_date"] + timedelta(days=1)),
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if key["is_late"] else None,
        "ChargeDescription": f"{key['request_type']} on {sku}",
        "ChargeFrequency": "Usage-Based",
        "PricingCategory": "Standard",
        **dict.fromkeys(("ProviderName", "PublisherName", "InvoiceIssuerName"), provider),
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": "Large language models",
        **dict.fromkeys(("RegionId", "RegionName"), key["region"]),
        "SkuId": sku,
        **dict.fromkeys(("SkuMeter", "ConsumedUnit", "PricingUnit"), unit),
        **dict.fromkeys(("ConsumedQuantity", "PricingQuantity"), quantity),
        "BillingCurrency": "USD",
        **dict.fromkeys(("BilledCost", "EffectiveCost", "ContractedCost"), cost),
        "ListCost": total(row["list_cost_usd"] for row in rows),
        "Tags": key["tags"],
        "x_RequestType": key["request_type"],
        "x_Model": key["model"],
        "x_ServiceTier": key["service_tier"],
        "x_Requests": sums["requests"],
        "x_UnpricedRequests": sums["unpriced_requests"],
        "x_TokenCount": sums["token_count"],
        "x_InputTokens": sums["input_tokens"],
        "x_CacheReadTokens": sums["cache_read_tokens"],
        "x_CacheWriteTokens": sums["cache_write_tokens"],
        "x_OutputTokens": sums["output_tokens"],
        "x_ReasoningTokens": sums["reasoning_tokens"],
        "x_MicroUsd": sums["micro_usd"],
    }


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _discounts(books: Books) -> dict[str, tuple[Decimal, Decimal]]:
    """By price: the per cent that it took off, and the fee that came on top of that."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for file in (books.home / "prices").glob("*.json"):
        price = json.loads(file.read_text(encoding="utf-8"))
        if (percent := price["context"].get("discount_percent")) is not None:
            last = price["rates"][-1]
            is_fee = last["unit"] == "requests"
            found[file.stem] = Decimal(percent), Decimal(last["usd"]) if is_fee else Decimal(0)
    return found


def before_discount(cost: Decimal, percent: Decimal | int, fee: Decimal | int) -> Decimal:
    with localcontext(prec=60):
        return ((cost - fee) * 100 / (100 - percent)).quantize(DIGIT, ROUND_HALF_UP) + fee


def _reconciled(books: Books) -> Recomputed:
    lines = [line for path in sorted((books.home / "invoices").glob("*.csv")) for line in _lines(path)]
    days = {(line["provider"], day) for line in lines for day in line["days"]}
    naming = {(line["provider"], line["month"]) for line in lines if line["model"]}
    canonical: dict[tuple[str, str | None], str] = {}
    for row in books.rows:
        if row["llm"] is not None:
            name = row["provider"], row["model"]
            canonical[name] = min(canonical.get(name, row["llm"]), row["llm"])
    cells: dict[tuple[str, date, str | None], tuple[list[Row], list[Row]]] = {}
    for line in lines:
        llm = canonical.get((line["provider"], line["model"]), line["model"])
        cells.setdefault((line["provider"], line["month"], llm), ([], []))[0].append(line)
    for row in books.rows:
        if (row["provider"], row["usage_date"]) in days:
            month = start_of("month", row["usage_date"])
            llm = (row["llm"] or row["model"]) if (row["provider"], month) in naming else None
            cells.setdefault((row["provider"], month, llm), ([], []))[1].append(row)
    rows = [
        {"provider": provider, "usage_month": month, "llm": llm}
        | {"invoiced_days": sum(of == provider and start_of("month", day) == month for of, day in days)}
        | _residual(billed, recorded)
        for (provider, month, llm), (billed, recorded) in cells.items()
    ]
    return Recomputed("invoice_reconciliation", ("provider", "usage_month", "llm"), rows)


def _lines(path: Any) -> Iterable[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            first, last = date.fromisoformat(line["from"]), date.fromisoformat(line["to"])
            amount = Decimal(line["amount"])
            yield {
                "provider": line["provider"],
                "model": line.get("model") or None,
                "month": start_of("month", first),
                "days": [first + timedelta(days=number) for number in range((last - first).days + 1)],
                "amount": amount,
                "half_a_digit": Decimal(5).scaleb(int(amount.as_tuple().exponent) - 1),
                "tokens": int(line["quantity"]) if line.get("quantity") else None,
            }


def _residual(billed: list[Row], recorded: list[Row]) -> Row:
    invoiced, cost = total(line["amount"] for line in billed), total(row["cost_usd"] for row in recorded)
    priced = [row["token_count"] for row in recorded if row["standing"]["pricing_status"] != "unpriced"]
    tokens, billed_tokens = total(priced) or 0, total(line["tokens"] for line in billed)
    residual = (invoiced or Decimal(0)) - (cost or Decimal(0))
    parts = dict.fromkeys(("missing", "quantity", "price", "rounding", "unexplained"), Decimal(0))
    counted = False
    if invoiced is None or cost is None:
        parts["missing"] = residual
    elif all(line["tokens"] is not None for line in billed) and tokens > 0:
        counted = True
        parts["quantity"] = part(cost, billed_tokens - tokens, tokens)
    rest = residual - parts["missing"] - parts["quantity"]
    tolerance = total(line["half_a_digit"] for line in billed) or Decimal(0)
    parts["rounding" if abs(rest) <= tolerance + DIGIT else "price" if counted else "unexplained"] = rest
    return {
        "invoice_lines": len(billed),
        "requests": sum(row["requests"] for row in recorded),
        "unpriced_requests": sum(row["unpriced_requests"] for row in recorded),
        "invoiced_token_count": billed_tokens,
        "token_count": tokens,
        "invoiced_usd": invoiced,
        "cost_usd": cost,
        "residual_usd": residual,
    } | {f"{name}_usd": amount for name, amount in parts.items()}
