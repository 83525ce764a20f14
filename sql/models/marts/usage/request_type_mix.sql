with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

aggregated as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        request_type,
        {{ sum_measures() }}
    from daily
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
