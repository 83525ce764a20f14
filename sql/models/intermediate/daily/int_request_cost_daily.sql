-- How much single calls for one thing cost, as histograms.
with

{{ standing_calls() }},

bucketed as (

    select
        usage_date,
        reporting_date,
        tenant,
        holder_type,
        holder_id,
        case when trackable_type = 'Assignment' then trackable_id end as own_assignment_id,
        request_type,
        standing_status as status,
        {{ log_bucket('standing_cost_usd * 1000000000000') }} as bucket,
        day_fingerprint,
        {{ sum_count('1') }} as requests,
        {{ sum_count('case when is_retry then 1 else 0 end') }} as retry_requests
    from calls
    group by all

)

select * from bucketed
