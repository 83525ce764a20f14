{{ config(materialized='table') }}

{# By scope: the relation its calls are in, and which of them an entry covers. A model goes by its canonical id, or as
   its provider names it. #}
{% set matches = [
    ('all', 'daily', 'true'),
    ('tenant', 'daily', 'daily.tenant = budgets.scope_value'),
    ('user', 'daily', 'daily.user_id = budgets.scope_value'),
    ('request_type', 'daily', 'daily.request_type = budgets.scope_value'),
    ('model', 'daily', 'daily.llm = budgets.scope_value'),
    ('model', 'daily', 'daily.model = budgets.scope_value and daily.llm is distinct from daily.model'),
    ('trackable', 'things', 'things.thing_type = budgets.scope_key and things.thing_id = budgets.scope_value'),
    ('tag', 'charges', tag_value('charges.tags', 'budgets.scope_key') ~ ' = budgets.scope_value'),
] %}

{# What the calls are for: what they were made for, what holds that, and what that belongs to; each once. #}
{% set nearest = [
    ('trackable_type', 'trackable_id', 'true'),
    ('holder_type', 'holder_id', 'holder_type <> trackable_type or holder_id <> trackable_id'),
] %}

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

ancestors as (

    select * from {{ ref('int_trackable_ancestors') }}

),

things as (

    {% for type, id, condition in nearest %}
    select
        {{ type }} as thing_type,
        {{ id }} as thing_id,
        tenant,
        reporting_date,
        requests,
        unpriced_requests,
        cost_usd
    from daily
    where {{ condition }}
    union all
    {% endfor %}
    select
        ancestors.ancestor_type as thing_type,
        ancestors.ancestor_id as thing_id,
        daily.tenant,
        daily.reporting_date,
        daily.requests,
        daily.unpriced_requests,
        daily.cost_usd
    from daily
    inner join ancestors
        on
            daily.holder_type = ancestors.trackable_type
            and daily.holder_id = ancestors.trackable_id
            and daily.tenant is not distinct from ancestors.tenant
            and daily.usage_date >= ancestors.valid_from
            and daily.usage_date < ancestors.valid_to
    where
        ancestors.circle_from is null
        and (ancestors.ancestor_type <> daily.trackable_type or ancestors.ancestor_id <> daily.trackable_id)

),

matched as (

    {% for scope, relation, condition in matches %}
    select
        budgets.entry_number,
        {{ relation }}.reporting_date,
        {{ relation }}.requests,
        {{ relation }}.unpriced_requests,
        {{ relation }}.cost_usd
    from {{ relation }}
    inner join budgets on {{ condition }}
    where budgets.scope = '{{ scope }}' and (budgets.tenant is null or budgets.tenant = {{ relation }}.tenant)
    {{ 'union all' if not loop.last }}
    {% endfor %}

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
