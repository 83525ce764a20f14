with

daily as (

    select * from {{ ref('stg_what_if_costs') }}
    where scenario = 'batch'

),

aggregated as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        provider,
        llm,
        request_type,
        coalesce(request_type in ({{ quoted_list(var('batch_request_types')) }}), false) as is_eligible,
        {{ sum_count('requests') }} as requests,
        {{ sum_usd('cost_usd') }} as cost_usd,
        {{ sum_usd('what_if_cost_usd') }} as batch_cost_usd
    from daily
    group by all

),

compared as (

    select
        *,
        cast(cost_usd - batch_cost_usd as decimal(38, 12)) as saving_usd
    from aggregated

)

select * from compared
