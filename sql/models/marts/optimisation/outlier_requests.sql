with

costliest as (

    select * from {{ ref('int_costliest_daily') }}
    where cost_usd > 0

),

histograms as (

    select * from {{ ref('int_call_cost_daily') }}

),

buckets as (

    select
        provider,
        llm,
        request_type,
        bucket,
        {{ sum_count('requests') }} as requests
    from histograms
    where bucket >= 0
    group by all

),

ranked as (

    select
        *,
        sum(requests) over (
            partition by provider, llm, request_type order by bucket rows between unbounded preceding and current row
        ) as reached,
        sum(requests) over (partition by provider, llm, request_type) as all_requests
    from buckets

),

medians as (

    select
        provider,
        llm,
        request_type,
        {{ sum_count('requests') }} as requests,
        {{ quantile_bucket('0.5') }} as median_bucket
    from ranked
    group by all

),

deviations as (

    select
        buckets.provider,
        buckets.llm,
        buckets.request_type,
        abs(buckets.bucket - medians.median_bucket) as bucket,
        {{ sum_count('buckets.requests') }} as requests
    from buckets
    inner join medians
        on
            buckets.provider = medians.provider
            and buckets.llm is not distinct from medians.llm
            and buckets.request_type = medians.request_type
    group by all

),

ranked_deviations as (

    select
        *,
        sum(requests) over (
            partition by provider, llm, request_type order by bucket rows between unbounded preceding and current row
        ) as reached,
        sum(requests) over (partition by provider, llm, request_type) as all_requests
    from deviations

),

-- A bucket is the finest difference a histogram can tell: a spread below it is taken for one bucket.
spreads as (

    select
        provider,
        llm,
        request_type,
        greatest({{ quantile_bucket('0.5') }}, 1) as spread
    from ranked_deviations
    group by all

),

scored as (

    select
        costliest.*,
        medians.requests as compared_requests,
        {{ bucket_middle('medians.median_bucket') }} / 1000000000000 as median_cost_usd,
        0.6745 * ({{ log_position('costliest.cost_usd * 1000000000000') }} - medians.median_bucket - 0.5)
        / spreads.spread as robust_z
    from costliest
    inner join medians
        on
            costliest.provider = medians.provider
            and costliest.llm is not distinct from medians.llm
            and costliest.request_type = medians.request_type
    inner join spreads
        on
            costliest.provider = spreads.provider
            and costliest.llm is not distinct from spreads.llm
            and costliest.request_type = spreads.request_type

),

outliers as (

    select
        record_id,
        occurred_at,
        reporting_date,
        tenant,
        user_id,
        trackable_type,
        trackable_id,
        provider,
        llm,
        request_type,
        input_tokens,
        output_tokens,
        cost_usd,
        compared_requests,
        cast(median_cost_usd as double) as median_cost_usd,
        cast(robust_z as double) as robust_z
    from scored
    where robust_z > {{ var('outlier_robust_z') }} and compared_requests >= 30

)

select * from outliers
