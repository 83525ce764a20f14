with

{{ rows_of_standing_calls() }},

timed_rows as (

    select
        *,
        {{ local_hour('occurred_at', var('reporting_timezone')) }} as reporting_hour,
        case when requests = 1 then {{ milliseconds_between('occurred_at', 'recorded_at') }} end as lag_ms
    from rows_of_calls

),

aggregated as (

    select
        usage_date,
        reporting_date,
        reporting_hour,
        provider,
        llm,
        request_type,
        standing_coverage as coverage,
        standing_assumed as assumed,
        day_fingerprint,
        min(occurred_at) as first_occurred_at,
        max(occurred_at) as last_occurred_at,
        max(recorded_at) as last_recorded_at,
        {{ sum_count('case when lag_ms < 0 then 1 else 0 end') }} as early_requests,
        {{ sum_count('case when lag_ms > 3600000 then 1 else 0 end') }} as hour_late_requests,
        {{ sum_count('case when lag_ms > 86400000 then 1 else 0 end') }} as day_late_requests,
        min(lag_ms) as least_lag_ms,
        max(lag_ms) as greatest_lag_ms,
        {{ sum_measures() }}
    from timed_rows
    group by all

)

select * from aggregated
