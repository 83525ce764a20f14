"""The cost of every row of a Polars frame: the calculator's own answer, row for row, computed by the column.

Rows of one provider, model, service tier and interval of time share one price. Where its card is linear, their costs
are integer arithmetic on whole columns; every other row is priced by the card itself.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar, cast

import polars as pl

from tracking.errors import ArgumentError, CostTrackingError
from tracking.money import COST_PLACES
from tracking.pricing.frame_assumptions import statuses
from tracking.pricing.price import Price
from tracking.pricing.sources.catalogue import family_of, provider_id_of
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.pricing.what_if import PriceFinder, Quote, WhatIf, as_microseconds, picos_of
from tracking.usage import SUBSETS, TOKEN_COUNTS

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)

BATCH_ROWS = 1 << 17
"""Rows worked on at once: few enough for a processor's cache."""

WHO = ("provider", "model", "service_tier", "price_context", "region", "tenant")
TEXTS = ("other_units", "status", "charge_class", "pricing_status", "price_assumptions")

COSTS: dict[str, pl.DataType] = {
    "cost_usd": pl.Decimal(18, 12),
    "micro_usd": pl.Int64(),
    "pricing_status": pl.String(),
    "price_assumptions": pl.String(),
    "price_id": pl.String(),
    "llm": pl.String(),
    "llm_family": pl.String(),
    "unpriced_reason": pl.String(),
}
"""What is added to a row."""

RATES: dict[str, pl.DataType] = {
    "per_request": pl.Int128(),
    **{f"rate_of_{name}": pl.Int128() for name in TOKEN_COUNTS},
    "most": pl.Int64(),
}
WORDS = {name: COSTS[name] for name in ("price_id", "llm", "llm_family", "unpriced_reason")}
"""What rows of one price and one tier share."""

TOGETHER = "llm_cost_ledger.costs"
UTC_MICROSECONDS = pl.Datetime("us", "UTC")
DAY = 86_400_000_000
NO_TIER = 2**63 - 1
CORRECTION = "a correction carries differences, which have no price of their own"
FAILED = "the call failed and its usage is not known"


def cost_frame(frame: FrameT, overrides: PriceOverrides, what_if: WhatIf, suffix: str) -> FrameT:
    """`CostCalculator.cost_frame`, which says what it does."""
    if what_if.model is not None and what_if.provider is None:
        what_if = replace(what_if, provider=provider_id_of(what_if.model))
    columns = _columns_read(frame.collect_schema(), what_if)
    now = as_microseconds(datetime.now(UTC))
    finder = PriceFinder(overrides, what_if.discount_percent)
    if what_if.model is not None:
        finder.check_known(str(what_if.provider), what_if.model, now)

    column_names = {name: name + suffix for name in COSTS}

    def costs_of(rows: pl.DataFrame) -> pl.DataFrame:
        return _costs(rows.with_columns(pl.col("occurred_at").to_physical().fill_null(now)), finder).rename(
            column_names
        )

    if isinstance(frame, pl.DataFrame):
        with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
            costs = list(threads.map(costs_of, frame.select(columns).iter_slices(BATCH_ROWS)))
        return frame.with_columns(pl.concat(costs) if costs else pl.DataFrame(schema=COSTS).rename(column_names))

    def together(rows: pl.Series) -> pl.Series:
        batches = rows.struct.unnest().iter_slices(BATCH_ROWS)
        costs = [costs_of(batch).to_struct(rows.name) for batch in batches]
        return pl.concat(costs) if costs else pl.Series(rows.name, dtype=kind)

    kind = pl.Struct({column_names[name]: kind for name, kind in COSTS.items()})
    all_costs = pl.struct(columns).map_batches(together, return_dtype=kind, is_elementwise=True)
    # In two steps, or else each of the fields would compute all of them again.
    unnested = pl.col(TOGETHER).struct.unnest()
    return frame.with_columns(all_costs.alias(TOGETHER)).with_columns(unnested).drop(TOGETHER)


def _columns_read(schema: Mapping[str, pl.DataType], what_if: WhatIf) -> list[pl.Expr]:
    """What a price depends on, in fixed types; what the frame lacks is NULL, and the what-if replaces what it names.

    Raises:
        ArgumentError: the frame does not say whose answers these are, has no count, or a column of another type.
    """
    for name in ("provider", "model"):
        if name not in schema and getattr(what_if, name) is None:
            raise ArgumentError("frame", f"has no column {name!r}; pass {name}=… to price its rows as that")
    if schema.keys().isdisjoint(TOKEN_COUNTS):
        raise ArgumentError("frame", f"has none of the columns {', '.join(TOKEN_COUNTS)}")
    columns: list[pl.Expr] = []
    for name in (*WHO, *TEXTS):
        given: str | None = getattr(what_if, name, None)
        replaced = given is not None or (name == "price_context" and what_if.service_tier is not None)
        replaced |= name == "region" and what_if.provider is not None
        columns.append(pl.lit(given, pl.String).alias(name) if replaced else _text(name, schema))
    return [*columns, _instant(schema), *(_count(name, schema) for name in TOKEN_COUNTS)]


def _text(name: str, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    kind = schema.get(name, pl.Null())
    if not isinstance(kind, pl.String | pl.Categorical | pl.Enum | pl.Null):
        raise ArgumentError("frame", f"has a column {name!r} of type {kind}, expected text")
    return (pl.col(name) if name in schema else pl.lit(None).alias(name)).cast(pl.String)


def _instant(schema: Mapping[str, pl.DataType]) -> pl.Expr:
    kind = schema.get("occurred_at", pl.Null())
    if isinstance(kind, pl.Null):
        return pl.lit(None, UTC_MICROSECONDS).alias("occurred_at")
    if not (isinstance(kind, pl.Datetime) and kind.time_zone):
        raise ArgumentError("frame", f"has a column 'occurred_at' of type {kind}, expected instants with a time zone")
    return pl.col("occurred_at").dt.convert_time_zone("UTC").cast(UTC_MICROSECONDS)


def _count(name: str, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    kind = schema.get(name)
    if kind is None:
        return pl.lit(None, pl.Int64).alias(name)
    if not (kind.is_numeric() or isinstance(kind, pl.Null)):
        raise ArgumentError("frame", f"has a column {name!r} of type {kind}, expected numbers")
    return pl.col(name)


def _costs(rows: pl.DataFrame, finder: PriceFinder) -> pl.DataFrame:
    """COSTS of every row, in order."""
    whole = rows.with_columns(pl.col(TOKEN_COUNTS).cast(pl.Int64, strict=False))
    quotes, which = _prices(rows, finder)
    places = max((rates.places for each in quotes for rates in each.card.levels), default=COST_PLACES)
    rates, words, line = _rates(quotes, which, places, whole["input_tokens"].fill_null(0))
    amount = pl.col("per_request")
    for name in TOKEN_COUNTS:
        if (rates[f"rate_of_{name}"] != 0).any():
            amount += pl.col(f"rate_of_{name}") * pl.col(name).fill_null(0).cast(pl.Int128)
    work = whole.hstack([*rates[line], line]).with_columns(unpriced_reason=_reason(words, line))
    by_column = pl.col("unpriced_reason").is_null() & _is_plain() & pl.lit(_is_whole(rows, whole))
    exact = pl.when("by_column").then(amount)
    work = work.with_columns(by_column=by_column).with_columns(
        picos=_divided_half_even(exact, 10 ** (places - COST_PLACES)).cast(pl.Int64)
    )
    singly = (~work["by_column"] & work["unpriced_reason"].is_null()).arg_true()
    work = _priced_singly(work, singly, rows, quotes, which) if len(singly) else work
    return _in_columns(work, words, statuses(work, quotes, which))


def _prices(rows: pl.DataFrame, finder: PriceFinder) -> tuple[list[Quote], pl.Series]:
    """The prices that rows of this batch have, and which of them each row has."""
    # Three codes of 32 bits and one of 16 make one number, and numbers are grouped faster than texts.
    who = rows.select(WHO)
    if not finder.by_tenant:
        who = who.with_columns(tenant=pl.lit(None, pl.String))
    terms = pl.col("service_tier")
    if any(who[name].null_count() < who.height for name in WHO[3:]):
        terms = pl.concat_str(pl.col(WHO[2:]).fill_null(""), separator="\0")
    code = pl.lit(0, pl.Int128)
    for text in (pl.col("provider"), pl.col("model"), terms):
        number = text.cast(pl.Categorical).to_physical().cast(pl.Int128).fill_null(2**32 - 1)
        code = code * 2**32 + number
    coded = rows.select("occurred_at", code=code).with_row_index("row")
    groups = _grouped(coded)
    instants: set[int] = set()
    times: set[int] = set()
    for row, first, last in groups.select("row", "first", "last").iter_rows():
        provider, model, *_ = who.row(row)
        changes, daily, on_any_day = finder.changes(provider, model)
        instants |= {change for change in changes if first < change <= last}
        if on_any_day:
            instants |= {day * DAY for day in range(first // DAY + 1, last // DAY + 1)}
        times |= daily if first != last else set()
    if instants or times:
        interval = _position(instants, pl.col("occurred_at")) * (len(times) + 1)
        interval += _position(times, pl.col("occurred_at") % DAY)
        coded = coded.with_columns(pl.col("code") + interval.cast(pl.Int128) * pl.lit(2**96, pl.Int128))
        groups = _grouped(coded)
    quotes: list[Quote] = []
    for row, at in groups.select("row", "first").iter_rows():
        provider, model, service_tier, price_context, region, tenant = who.row(row)
        quotes.append(finder.find(provider, model, service_tier, price_context, region, tenant, at))
    numbered = groups.select("code").with_row_index("number")
    return quotes, coded.select("code").join(numbered, on="code", how="left", maintain_order="left")["number"]


def _grouped(coded: pl.DataFrame) -> pl.DataFrame:
    at = pl.col("occurred_at")
    return coded.group_by("code").agg(pl.col("row").first(), at.min().alias("first"), at.max().alias("last"))


def _position(bounds: set[int], value: pl.Expr) -> pl.Expr:
    """How many of the bounds are at or before a value."""
    return pl.lit(pl.Series(sorted(bounds), dtype=pl.Int64)).search_sorted(value, side="right")


def _rates(
    quotes: list[Quote], which: pl.Series, places: int, input_tokens: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """A line of rates, and one of words, for each price and tier; and which of them each row has.

    A tier is one for the whole request.
    """
    first: list[int] = []
    rates: list[tuple[int, ...]] = []
    words: list[tuple[str | None, ...]] = []
    for each in quotes:
        first.append(len(rates))
        price_id = None if each.price is None else each.price.price_id
        family = None if each.llm is None else family_of(each.llm)
        for level in each.card.levels:
            per_request, factors = level.at_places(places)
            rates.append((per_request, *(factors.get(name, 0) for name in TOKEN_COUNTS), level.most))
            words.append((price_id, each.llm, family, each.reason))
    line = pl.Series("line", first, dtype=pl.UInt32).gather(which)
    for tier in range(max((len(each.card.above) for each in quotes), default=0)):
        starts = [each.card.above[tier] if tier < len(each.card.above) else NO_TIER for each in quotes]
        line += (input_tokens > pl.Series(starts, dtype=pl.Int64).gather(which)).cast(pl.UInt32)
    return pl.DataFrame(rates, RATES, orient="row"), pl.DataFrame(words, WORDS, orient="row"), line


def _reason(words: pl.DataFrame, line: pl.Series) -> pl.Expr:
    """Why a row has no price, as far as it can be told without its counts."""
    reasons = words["unpriced_reason"]
    failed = pl.col("status").eq("error") & pl.all_horizontal(pl.col(*TOKEN_COUNTS, "other_units").is_null())
    return (
        pl.when(charge_class="correction")
        .then(pl.lit(CORRECTION))
        .when(failed)
        .then(pl.lit(FAILED))
        .otherwise(pl.lit(None if reasons.null_count() == len(reasons) else reasons.gather(line), pl.String))
    )


def _is_plain() -> pl.Expr:
    """Consistent counts alone, none above what the rates are exact for: what `check_subsets` accepts, and no more."""
    plain = pl.col("other_units").is_null()
    for parts, whole in SUBSETS:
        left = pl.col(whole).fill_null(0)
        for part in parts:
            count = pl.col(part).fill_null(0)
            plain &= (count >= 0) & (count <= left)
            left -= count
    for whole in ("input_tokens", "output_tokens"):
        plain &= pl.col(whole).fill_null(0).is_between(0, pl.col("most"))
    return plain


def _is_whole(rows: pl.DataFrame, whole: pl.DataFrame) -> pl.Series:
    """Which rows' counts are whole numbers of 64 bits."""
    is_whole = pl.repeat(True, rows.height, eager=True)
    for name in TOKEN_COUNTS:
        if rows[name].dtype != pl.Int64:
            is_whole &= rows[name].eq_missing(whole[name])
    return is_whole


def _divided_half_even(dividend: pl.Expr, divisor: int) -> pl.Expr:
    """A non-negative dividend divided, and rounded to whole numbers half-even."""
    if divisor == 1:
        return dividend
    quotient, twice = dividend // divisor, dividend % divisor * 2
    up = (twice > divisor) | ((twice == divisor) & (quotient % 2 == 1))
    return quotient + up.cast(pl.Int64)


def _priced_singly(
    work: pl.DataFrame, singly: pl.Series, rows: pl.DataFrame, quotes: list[Quote], which: pl.Series
) -> pl.DataFrame:
    costs: list[int | None] = []
    reasons: list[str | None] = []
    for row, number in zip(rows[singly].iter_rows(named=True), which[singly], strict=True):
        try:  # a row without a price has its reason already
            costs.append(picos_of(row, cast(Price, quotes[int(number)].price)))
            reasons.append(None)
        except CostTrackingError as error:
            costs.append(None)
            reasons.append(str(error))
    return work.with_columns(
        work["picos"].scatter(singly, pl.Series(costs, dtype=pl.Int64)),
        work["unpriced_reason"].scatter(singly, pl.Series(reasons, dtype=pl.String)),
    )


def _in_columns(work: pl.DataFrame, words: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    picos, line = pl.col("picos"), work["line"]
    unit = pl.lit(Decimal(1).scaleb(-COST_PLACES), pl.Decimal(38, COST_PLACES))
    price_line = work.select(pl.when(picos.is_not_null()).then("line")).to_series()
    return work.select(
        cost_usd=(picos.cast(pl.Decimal(38, 0)) * unit).cast(COSTS["cost_usd"]),
        micro_usd=_divided_half_even(picos, 10**6),
        pricing_status=states["pricing_status"],
        price_assumptions=states["price_assumptions"],
        price_id=words["price_id"].gather(price_line),
        llm=words["llm"].gather(line),
        llm_family=words["llm_family"].gather(line),
        unpriced_reason="unpriced_reason",
    )
