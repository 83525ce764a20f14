with

daily as (

    select * from {{ ref('stg_what_if_costs') }}
    where scenario = 'other_model'

),

aggregated as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        request_type,
        provider,
        llm,
        what_if_provider,
        what_if_llm,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('left_out_requests') }} as left_out_requests,
        {{ sum_usd('cost_usd') }} as cost_usd,
        {{ sum_usd('what_if_cost_usd') }} as what_if_cost_usd
    from daily
    group by all

),

compared as (

    select
        *,
        cast(cost_usd - what_if_cost_usd as decimal(38, 12)) as saving_usd
    from aggregated

)

select * from compared
