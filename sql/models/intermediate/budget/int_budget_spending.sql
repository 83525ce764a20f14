{{ config(materialized='table') }}

{% set matches = {
    'all': 'true',
    'tenant': 'daily.tenant = budgets.scope_value',
    'user': 'daily.user_id = budgets.scope_value',
    'request_type': 'daily.request_type = budgets.scope_value',
} %}

with

budgets as (

    select * from {{ ref('stg_budgets') }}

),

daily as (

    select * from {{ ref('int_cost_daily') }}

),

charges as (

    select * from {{ ref('int_charges_daily') }}

),

matched as (

    {% for scope, condition in matches.items() %}
    select
        budgets.entry_number,
        daily.reporting_date,
        daily.requests,
        daily.unpriced_requests,
        daily.cost_usd
    from daily
    inner join budgets on {{ condition }}
    where budgets.scope = '{{ scope }}' and (budgets.tenant is null or budgets.tenant = daily.tenant)
    union all
    {% endfor %}

    -- By the canonical id, or as the provider names it.
    {% for condition in [
        'daily.llm = budgets.scope_value',
        'daily.model = budgets.scope_value and daily.llm is distinct from daily.model',
    ] %}
    select
        budgets.entry_number,
        daily.reporting_date,
        daily.requests,
        daily.unpriced_requests,
        daily.cost_usd
    from daily
    inner join budgets on {{ condition }}
    where budgets.scope = 'model' and (budgets.tenant is null or budgets.tenant = daily.tenant)
    union all
    {% endfor %}

    -- With what was made for it; or, where it was itself made for another, alone.
    {% for level, condition in {
        'trackable_root': 'true',
        'trackable': 'daily.trackable_root_type <> daily.trackable_type or daily.trackable_root_id <> daily.trackable_id',
    }.items() %}
    select
        budgets.entry_number,
        daily.reporting_date,
        daily.requests,
        daily.unpriced_requests,
        daily.cost_usd
    from daily
    inner join budgets
        on daily.{{ level }}_type = budgets.scope_key and daily.{{ level }}_id = budgets.scope_value
    where
        budgets.scope = 'trackable'
        and (budgets.tenant is null or budgets.tenant = daily.tenant)
        and ({{ condition }})
    union all
    {% endfor %}

    select
        budgets.entry_number,
        charges.reporting_date,
        charges.requests,
        charges.unpriced_requests,
        charges.cost_usd
    from charges
    inner join budgets on {{ tag_value('charges.tags', 'budgets.scope_key') }} = budgets.scope_value
    where budgets.scope = 'tag' and (budgets.tenant is null or budgets.tenant = charges.tenant)

),

spending as (

    select
        entry_number,
        reporting_date,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('unpriced_requests') }} as unpriced_requests,
        coalesce({{ sum_usd('cost_usd') }}, 0) as spent_usd
    from matched
    group by all

)

select * from spending
