"""The columns of a segment: `LLMUsageRecord` in portable Parquet types, and the day they are filed under."""

import polars as pl

USAGE_SCHEMA = pl.Schema(
    {
        "event_key": pl.String,
        "record_id": pl.String,
        "occurred_at": pl.Datetime("us", "UTC"),
        "recorded_at": pl.Datetime("us", "UTC"),
        "user_id": pl.String,
        "trackable_type": pl.String,
        "trackable_id": pl.String,
        "trackable_parent_type": pl.String,
        "trackable_parent_id": pl.String,
        "request_type": pl.String,
        "llm": pl.String,
        "llm_family": pl.String,
        "provider": pl.String,
        "model": pl.String,
        "input_tokens": pl.Int64,
        "cache_read_tokens": pl.Int64,
        "cache_write_tokens": pl.Int64,
        "cache_write_1h_tokens": pl.Int64,
        "output_tokens": pl.Int64,
        "reasoning_tokens": pl.Int64,
        "other_units": pl.String,
        "token_count": pl.Int64,
        "cost_usd": pl.Decimal(18, 12),
        "micro_usd": pl.Int64,
        "pricing_status": pl.String,
        "price_id": pl.String,
        "charge_class": pl.String,
        "corrects_record_id": pl.String,
        "corrects_pricing_status": pl.String,
        "service_tier": pl.String,
        "region": pl.String,
        "stream": pl.Boolean,
        "status": pl.String,
        "finish_reason": pl.String,
        "error_type": pl.String,
        "attempt": pl.Int64,
        "retry_of": pl.String,
        "latency_ms": pl.Int64,
        "ttft_ms": pl.Int64,
        "provider_response_id": pl.String,
        "trace_id": pl.String,
        "tenant": pl.String,
        "tags": pl.String,
        "prompt_chars": pl.Int64,
        "prompt_hmac": pl.String,
        "prompt_prefix_hmac": pl.String,
        "provider_cost_usd": pl.Decimal(18, 12),
        "price_context": pl.String,
        "price_assumptions": pl.String,
        "usage_date": pl.Date,
    }
)
"""One row a record. `usage_date` is the UTC date of `occurred_at`."""

PROMPT_SCHEMA = pl.Schema(
    {"record_id": pl.String, "user_id": pl.String, "occurred_at": pl.Datetime("us", "UTC"), "prompt": pl.String}
)
"""Prompt text, apart from the money."""

_AS_TEXT_IN_JSON = (pl.Datetime, pl.Decimal)

JOURNAL_SCHEMA = pl.Schema(
    {
        **{
            name: pl.String() if isinstance(kind, _AS_TEXT_IN_JSON) else kind
            for name, kind in USAGE_SCHEMA.items()
            if name != "usage_date"
        },
        "prompt": pl.String(),
    }
)
"""A journal line's JSON: instants and money are text there, so that no parser rounds them."""

_DUCKDB_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Int64: "BIGINT",
    pl.Boolean: "BOOLEAN",
    pl.Date: "DATE",
}


def duckdb_type(kind: pl.DataType) -> str:
    """The DuckDB type of a column as DuckDB reads it from a segment."""
    if isinstance(kind, pl.Decimal):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if isinstance(kind, pl.Datetime):
        return "TIMESTAMPTZ"
    return _DUCKDB_TYPES[type(kind)]


def from_journal(frame: pl.DataFrame) -> pl.DataFrame:
    """Journal rows with their instants, money and day in their own types; `prompt` stays beside them."""
    columns = [
        pl.col(name).str.to_datetime("%+", time_unit="us", time_zone="UTC")
        if isinstance(kind, pl.Datetime)
        else pl.col(name).cast(kind)
        for name, kind in USAGE_SCHEMA.items()
        if name != "usage_date"
    ]
    return frame.select(*columns, "prompt").with_columns(usage_date=pl.col("occurred_at").dt.date())
