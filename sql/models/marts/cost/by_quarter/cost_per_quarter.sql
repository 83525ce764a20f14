with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

aggregated as (

    select
        {{ start_of_fiscal('quarter', 'reporting_date') }} as reporting_quarter,
        {{ sum_measures() }}
    from daily
    group by all

)

select * from aggregated
