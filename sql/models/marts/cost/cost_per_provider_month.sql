with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

aggregated as (

    select
        provider,
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        {{ sum_measures() }}
    from daily
    group by all

)

select * from aggregated
