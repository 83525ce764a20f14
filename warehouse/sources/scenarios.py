"""What a day's calls would have cost otherwise: on another model, in a batch, without or with more caching, and at the
rates of short inputs. Every call is priced anew by the calculator, exactly; nothing is estimated from totals."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import polars as pl

from tracking import CostCalculator, CostTrackingError, LLMResponse, Usage
from tracking.money import to_cost_usd
from tracking.pricing.rate_card import RateCard
from tracking.rows.prompt import PREFIX_CHARS
from tracking.terms import context_from_json
from tracking.usage import TOKEN_COUNTS, catalogue_counts, units_from_json, units_json
from warehouse.ledger.corrections import USD, standing_calls
from warehouse.sources.candidates import Candidate, repeats

CACHE_LIFETIME = timedelta(minutes=5)
"""How long a provider keeps a cached prefix that nobody reads: the least any of them promises."""

LEAST_CACHED = 1024
"""Tokens: shorter prompts are not cached."""

LATER = timedelta(days=100 * 365)
"""So much later the last rates of the price list are in force, at the same time of day."""

YEARS = (2, 9998 - 100)
"""Of calls that are priced anew: they and the instants LATER are dates of Python's calendar in every time zone."""

CALL = (
    *("provider", "model", "occurred_at", "service_tier", "price_context", "region", "tenant"),
    *("other_units", "status", *TOKEN_COUNTS),
)
CELL = ("usage_date", "reporting_date", "provider", "llm", "request_type")
COSTS = {
    "usage_date": pl.Date(),
    "reporting_date": pl.Date(),
    "provider": pl.String(),
    "llm": pl.String(),
    "request_type": pl.String(),
    "scenario": pl.String(),
    "what_if_provider": pl.String(),
    "what_if_llm": pl.String(),
    "requests": pl.Int64(),
    "left_out_requests": pl.Int64(),
    "cost_usd": USD,
    "what_if_cost_usd": USD,
}
"""What calls of one day and kind cost, and would have cost. `requests` are those that have both costs."""


def priced_calls(rows: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """The calls that have a cost, as their corrections leave them, in order of time.

    One that cannot be priced anew, because what it says of units or terms is unreadable or its year is no price's, is
    left out: what the others would have cost does not wait for it.
    """
    calls = standing_calls(rows.filter(*_can_be_priced(rows))).filter(pl.col("cost_usd").is_not_null())
    return calls.with_columns(
        other_units=_told_once(calls["other_units"]),
        reporting_date=pl.col("occurred_at").dt.convert_time_zone(timezone).dt.date(),
    ).sort("occurred_at", "record_id")


def _can_be_priced(rows: pl.DataFrame) -> Iterator[pl.Series | pl.Expr]:
    yield pl.col("occurred_at").dt.year().is_between(*YEARS)
    for name, read in (("other_units", _units), ("price_context", context_from_json)):
        texts = rows[name].drop_nulls().unique()
        unreadable = [text for text in texts if not _is_read(read, text)]
        if unreadable:
            yield ~rows[name].is_in(unreadable).fill_null(False)


def _units(text: str) -> str | None:
    """The text itself, canonical; ValueError where a unit is counted by what is no number."""
    units = units_from_json(text)
    if any(type(count) not in (int, Decimal) for count in units.values()):
        raise ValueError("a count is not a number")
    return units_json(units)


def _is_read(read: Callable[[str], object], text: str) -> bool:
    try:
        json.dumps(read(text), ensure_ascii=False).encode()
    except (CostTrackingError, ValueError, RecursionError):
        return False
    return True


def _told_once(other_units: pl.Series) -> pl.Series:
    """Without counts that change no price, so that most calls are priced by the column: a hundred times as fast."""
    reduced = {
        text: units_json({unit: count for unit, count in units_from_json(text).items() if count and not repeats(unit)})
        for text in other_units.drop_nulls().unique()
    }
    return other_units.replace(reduced) if reduced else other_units


def on_other_model(calls: pl.DataFrame, candidate: Candidate, calculator: CostCalculator) -> pl.DataFrame:
    """COSTS of all calls on another model; one that its context window cannot hold is left out."""
    costs = calculator.cost_frame(
        calls.select(CALL), provider=candidate.provider, model=candidate.model, suffix="_what_if"
    )
    cost = pl.col("cost_usd_what_if")
    if candidate.context_window is not None:
        fits = pl.col("input_tokens").fill_null(0) + pl.col("output_tokens").fill_null(0) <= candidate.context_window
        cost = pl.when(fits).then(cost)
    compared = calls.select(*CELL, "cost_usd").with_columns(costs.select(what_if_cost_usd=cost))
    is_other = pl.col("provider").ne(candidate.provider) | pl.col("llm").ne_missing(candidate.llm)
    return added_up(compared.filter(is_other), "other_model", candidate)


def on_own_model(calls: pl.DataFrame, calculator: CostCalculator, long_above: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """COSTS of the calls on the model they were made on, but otherwise.

    Only calls that today's price list still prices as the ledger does are compared: others would show a change of
    price as a saving. `long_above`: columns provider, llm, long_context_above, in tokens.
    """
    own = calculator.cost_frame(calls.select(CALL))["cost_usd"]
    calls = calls.filter(own.cast(USD).eq_missing(calls["cost_usd"]))
    yield _in_batches(calls, calculator)
    cached = pl.max_horizontal(pl.col("cache_read_tokens", "cache_write_tokens").fill_null(0)) > 0
    yield _priced(_with_cache(calls.filter(cached), pl.lit(0), pl.lit(0)), "uncached", calculator)
    yield _priced(_better_cached(calls), "cached", calculator)
    long = calls.join(long_above, on=["provider", "llm"]).filter(pl.col("input_tokens") > pl.col("long_context_above"))
    costs = pl.Series(_at_base_rates(long, calculator), dtype=USD)
    yield added_up(long.with_columns(what_if_cost_usd=costs), "base_rates")


def added_up(compared: pl.DataFrame, scenario: str, candidate: Candidate | None = None) -> pl.DataFrame:
    """Calls with `cost_usd` and `what_if_cost_usd` as COSTS."""
    has_both = pl.col("what_if_cost_usd").is_not_null()
    return (
        compared.group_by(CELL)
        .agg(
            has_both.sum().cast(pl.Int64).alias("requests"),
            (~has_both).sum().cast(pl.Int64).alias("left_out_requests"),
            pl.col("cost_usd").filter(has_both).cast(USD).sum(),
            pl.col("what_if_cost_usd").cast(USD).sum(),
        )
        .with_columns(
            scenario=pl.lit(scenario),
            what_if_provider=pl.lit(candidate and candidate.provider, pl.String),
            what_if_llm=pl.lit(candidate and candidate.llm, pl.String),
        )
        .select(pl.col(name).cast(kind) for name, kind in COSTS.items())
    )


def _in_batches(calls: pl.DataFrame, calculator: CostCalculator) -> pl.DataFrame:
    """At the last rates of the price list, which has known those of batches for a short time only.

    A call whose own rates have changed since is left out.
    """
    later = calls.select(CALL).with_columns(pl.col("occurred_at") + LATER)
    own, batch = (calculator.cost_frame(later, service_tier=tier)["cost_usd"] for tier in (None, "batch"))
    is_same = own.cast(USD).eq_missing(calls["cost_usd"])
    compared = calls.with_columns(pl.when(is_same).then(batch).alias("what_if_cost_usd"))
    return added_up(compared, "batch")


def _priced(calls: pl.DataFrame, scenario: str, calculator: CostCalculator) -> pl.DataFrame:
    costs = calculator.cost_frame(calls.select(CALL))["cost_usd"]
    return added_up(calls.with_columns(what_if_cost_usd=costs), scenario)


def _with_cache(calls: pl.DataFrame, read: pl.Expr, write: pl.Expr) -> pl.DataFrame:
    """The calls with other counts of cached tokens; of what is written, no more is kept for an hour than was."""
    kept_longer = pl.min_horizontal(pl.col("cache_write_1h_tokens").fill_null(0), write.fill_null(0))
    return calls.with_columns(
        read.cast(pl.Int64).alias("cache_read_tokens"),
        write.cast(pl.Int64).alias("cache_write_tokens"),
        kept_longer.cast(pl.Int64).alias("cache_write_1h_tokens"),
    )


def _better_cached(calls: pl.DataFrame) -> pl.DataFrame:
    """Calls that could have read what the prompt before has in common with theirs, or had to write it for the next.

    Of a whole prompt sent again all of the input is in common, of a prefix the share that its characters are.
    """
    share = pl.col("input_tokens") * PREFIX_CHARS // pl.col("prompt_chars")
    common = {
        name: pl.when(_near("prompt_hmac", step))
        .then("input_tokens")
        .when(_near("prompt_prefix_hmac", step))
        .then(share)
        .fill_null(0)
        for name, step in (("before", 1), ("after", -1))
    }
    answered = calls.filter(pl.col("status") != "error").with_columns(**common)
    before, after = pl.col("before"), pl.col("after")
    read, write = pl.col("cache_read_tokens").fill_null(0), pl.col("cache_write_tokens").fill_null(0)
    readers = answered.filter((before >= LEAST_CACHED) & (read < before))
    writers = answered.filter((before < LEAST_CACHED) & (after >= LEAST_CACHED) & (read + write == 0))
    left_to_write = pl.min_horizontal(write, pl.col("input_tokens") - before)
    return pl.concat([_with_cache(readers, before, left_to_write), _with_cache(writers, pl.lit(0), after)])


def _near(hashed: str, step: int) -> pl.Expr:
    """Whether the call before (step 1) or after (-1) with this hash, of the same model, came within the lifetime."""
    neighbour = pl.col("occurred_at").shift(step).over("usage_date", "provider", "llm", hashed)
    apart = pl.col("occurred_at") - neighbour if step > 0 else neighbour - pl.col("occurred_at")
    return pl.col(hashed).is_not_null() & (apart <= CACHE_LIFETIME).fill_null(False)


def _at_base_rates(calls: pl.DataFrame, calculator: CostCalculator) -> Iterable[Decimal | None]:
    """What each call costs at the rates below the first tier of its price."""
    for row in calls.select(CALL).iter_rows(named=True):
        usage = Usage(**{name: row[name] for name in TOKEN_COUNTS}, other_units=units_from_json(row["other_units"]))
        response = LLMResponse(
            provider=row["provider"],
            model=row["model"],
            usage=usage,
            service_tier=row["service_tier"],
            price_context=context_from_json(row["price_context"]),
            region=row["region"],
        )
        price = calculator.cost(response, at=row["occurred_at"], tenant=row["tenant"]).price
        if price is None:
            yield None
            continue
        flat = RateCard((replace(rate, tiers=()) for rate in price.card.rates), price.card.minimum)
        yield to_cost_usd(flat.usd(catalogue_counts(usage)))
