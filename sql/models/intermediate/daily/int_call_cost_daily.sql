-- How much single calls on one model cost, as histograms.
with

{{ standing_calls() }},

bucketed as (

    select
        usage_date,
        provider,
        llm,
        request_type,
        {{ log_bucket('standing_cost_usd * 1000000000000') }} as bucket,
        day_fingerprint,
        {{ sum_count('1') }} as requests
    from calls
    group by all

)

select * from bucketed
