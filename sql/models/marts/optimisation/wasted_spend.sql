with

outcomes as (

    select * from {{ ref('int_outcome_daily') }}

),

names as (

    select * from {{ ref('int_model_names') }}

),

named_outcomes as (

    {{ with_known_llm('outcomes') }}

),

aggregated as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        provider,
        known_llm as llm,
        request_type,
        waste,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('unpriced_requests') }} as unpriced_requests,
        {{ sum_count('token_count') }} as token_count,
        {{ sum_usd('cost_usd') }} as cost_usd
    from named_outcomes
    group by all

),

shared as (

    select
        *,
        {{ share('cost_usd', 'sum(cost_usd) over (partition by reporting_month)') }} as share_of_cost
    from aggregated

)

select * from shared
where waste <> 'none'
