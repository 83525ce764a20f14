{{ config(meta={'dagster': {'ref': {'name': 'int_cost_daily'}}}) }}

-- A row here is a day whose cost in int_cost_daily is not what its sealed segments hold: it was built from other files
-- than the ledger's live ones, twice, or not at all. Reports that cover the day are wrong until it is rebuilt.

with

built as (

    select
        usage_date,
        min(day_fingerprint) as fingerprint,
        max(day_fingerprint) as last_fingerprint,
        {{ sum_count('row_count') }} as row_count,
        {{ sum_measures() }}
    from {{ ref('int_cost_daily') }}
    group by usage_date

),

segments as (

    select * from {{ source('ledger', 'segments') }}
    where row_count > 0

)

select
    coalesce(built.usage_date, segments.usage_date) as usage_date,
    built.row_count as rows_built,
    segments.row_count as rows_in_ledger,
    built.cost_usd as cost_usd_built,
    segments.cost_usd as cost_usd_in_ledger
from built
full outer join segments on built.usage_date = segments.usage_date
where
    built.fingerprint is distinct from segments.fingerprint
    or built.last_fingerprint is distinct from segments.fingerprint
    or built.row_count is distinct from segments.row_count
    or built.requests is distinct from segments.requests
    or built.unpriced_requests is distinct from segments.unpriced_requests
    or coalesce(built.token_count, 0) <> coalesce(segments.token_count, 0)
    or coalesce(built.cost_usd, 0) <> coalesce(segments.cost_usd, 0)
    or coalesce(built.micro_usd, 0) <> coalesce(segments.micro_usd, 0)
