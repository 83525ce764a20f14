with

hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

aggregated as (

    select
        provider,
        min(first_occurred_at) as first_occurred_at,
        max(last_occurred_at) as last_occurred_at,
        max(last_recorded_at) as last_recorded_at,
        count(distinct reporting_date) as days_with_calls,
        {{ sum_count('requests') }} as requests
    from hourly
    group by all

)

select * from aggregated
