with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

aggregated as (

    select
        provider,
        llm,
        reporting_date,
        {{ sum_measures() }}
    from daily
    group by all

)

select * from aggregated
