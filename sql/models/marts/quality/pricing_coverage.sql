with

hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

aggregated as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        coverage as pricing_status,
        assumed,
        {{ sum_measures() }}
    from hourly
    group by all

),

shared as (

    select
        *,
        {{ share('requests', 'sum(requests) over (partition by reporting_month)') }} as share_of_requests,
        {{ share('token_count', 'sum(token_count) over (partition by reporting_month)') }} as share_of_tokens,
        {{ share('cost_usd', 'sum(cost_usd) over (partition by reporting_month)') }} as share_of_cost
    from aggregated

)

select * from shared
