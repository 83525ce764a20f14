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
        {% for scenario, name in [('uncached', 'cached'), ('cached', 'missed')] %}
        coalesce({{ sum_count("case when scenario = '" ~ scenario ~ "' then requests end") }}, 0)
            as {{ name }}_requests,
        coalesce({{ sum_usd("case when scenario = '" ~ scenario ~ "' then cost_usd end") }}, 0)
            as {{ name }}_cost_usd,
        coalesce({{ sum_usd("case when scenario = '" ~ scenario ~ "' then what_if_cost_usd end") }}, 0)
            as {{ name }}_what_if_cost_usd{{ ',' if not loop.last }}
        {% endfor %}
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
