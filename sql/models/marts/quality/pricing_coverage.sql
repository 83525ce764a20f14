with

hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

aggregated as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        coverage as pricing_status,
        assumed,
        {{ sum_measures() }}
    from hourly
    group by all

),

-- Beside the ledger: calls that wait in quarantine add nothing to any of its measures.
refused as (

    select
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        {{ sum_count('1') }} as refused_requests,
        {{ sum_usd('estimated_usd') }} as refused_estimated_usd
    from {{ ref('stg_refused') }}
    where state = 'waiting'
    group by all

),

together as (

    select
        *,
        cast(0 as bigint) as refused_requests,
        cast(null as decimal(38, 12)) as refused_estimated_usd
    from aggregated
    union all
    select
        reporting_month,
        'refused' as pricing_status,
        null as assumed,
        {%- for measure in measures() %}
        {%- set of_calls = measure.endswith('requests') %}
        cast(
            {{ 0 if of_calls else 'null' }} as {{ 'decimal(38, 12)' if measure == 'cost_usd' else 'bigint' }}
        ) as {{ measure }},
        {%- endfor %}
        refused_requests,
        refused_estimated_usd
    from refused

),

shared as (

    select
        *,
        {{ share('requests', 'sum(requests) over (partition by reporting_month)') }} as share_of_requests,
        {{ share('token_count', 'sum(token_count) over (partition by reporting_month)') }} as share_of_tokens,
        {{ share('cost_usd', 'sum(cost_usd) over (partition by reporting_month)') }} as share_of_cost
    from together

)

select * from shared
