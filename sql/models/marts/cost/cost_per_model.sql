with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

aggregated as (

    select
        provider,
        llm,
        min(reporting_date) as first_reporting_date,
        max(reporting_date) as last_reporting_date,
        {{ sum_measures() }}
    from daily
    group by all

)

select * from aggregated
