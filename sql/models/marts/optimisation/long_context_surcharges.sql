with

daily as (

    select * from {{ ref('stg_what_if_costs') }}
    where scenario = 'base_rates'

),

aggregated as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        provider,
        llm,
        request_type,
        {{ sum_count('requests') }} as requests,
        {{ sum_usd('cost_usd') }} as cost_usd,
        {{ sum_usd('what_if_cost_usd') }} as base_rates_cost_usd
    from daily
    group by all

),

compared as (

    select
        *,
        cast(cost_usd - base_rates_cost_usd as decimal(38, 12)) as surcharge_usd
    from aggregated

)

select * from compared
