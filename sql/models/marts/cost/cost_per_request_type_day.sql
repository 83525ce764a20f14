with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

aggregated as (

    select
        request_type,
        reporting_date,
        {{ sum_measures() }}
    from daily
    group by all

)

select * from aggregated
