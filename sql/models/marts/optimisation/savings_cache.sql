with

daily as (

    select * from {{ ref('stg_what_if_costs') }}
    where scenario in ('uncached', 'cached')

),

aggregated as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        provider,
        llm,
        request_type,
        coalesce({{ sum_count("case when scenario = 'uncached' then requests end") }}, 0) as cached_requests,
        coalesce({{ sum_usd("case when scenario = 'uncached' then cost_usd end") }}, 0) as cached_cost_usd,
        coalesce({{ sum_usd("case when scenario = 'uncached' then what_if_cost_usd end") }}, 0)
            as cached_what_if_cost_usd,
        coalesce({{ sum_count("case when scenario = 'cached' then requests end") }}, 0) as missed_requests,
        coalesce({{ sum_usd("case when scenario = 'cached' then cost_usd end") }}, 0) as missed_cost_usd,
        coalesce({{ sum_usd("case when scenario = 'cached' then what_if_cost_usd end") }}, 0)
            as missed_what_if_cost_usd
    from daily
    group by all

),

compared as (

    select
        reporting_month,
        provider,
        llm,
        request_type,
        cached_requests,
        cast(cached_cost_usd as decimal(38, 12)) as cost_usd,
        cast(cached_what_if_cost_usd as decimal(38, 12)) as uncached_cost_usd,
        cast(cached_what_if_cost_usd - cached_cost_usd as decimal(38, 12)) as achieved_saving_usd,
        missed_requests,
        cast(missed_cost_usd as decimal(38, 12)) as missed_cost_usd,
        cast(missed_cost_usd - missed_what_if_cost_usd as decimal(38, 12)) as missed_saving_usd
    from aggregated

)

select * from compared
