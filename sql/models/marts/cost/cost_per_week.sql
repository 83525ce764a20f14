with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

aggregated as (

    select
        {{ start_of('week', 'reporting_date') }} as reporting_week,
        {{ sum_measures() }}
    from daily
    group by all

)

select * from aggregated
