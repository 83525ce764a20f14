with

hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

aggregated as (

    select
        reporting_date,
        provider,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('hour_late_requests') }} as hour_late_requests,
        {{ sum_count('day_late_requests') }} as day_late_requests,
        {{ sum_count('early_requests') }} as early_requests,
        greatest(max(greatest_lag_ms), 0) as greatest_lag_ms,
        greatest(-min(least_lag_ms), 0) as greatest_skew_ms
    from hourly
    group by all

)

select * from aggregated
