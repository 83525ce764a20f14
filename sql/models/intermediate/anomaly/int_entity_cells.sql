{{ config(materialized='table') }}

{% set entities = {
    'user': ['user_id', 'tenant', 'cast(null as string)', 'true'],
    'assignment': ['assignment_id', 'tenant', 'cast(null as string)', 'assignment_id is not null'],
    'model': ['llm', 'cast(null as string)', 'provider', 'llm is not null'],
} %}

with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

places as (

    select * from {{ ref('int_trackable_places') }}

),

in_trees as (

    {{ in_trees('daily') }}

),

{% for entity_type, (entity_id, tenant, provider, condition) in entities.items() %}
{{ entity_type }}_cells as (

    select
        '{{ entity_type }}' as entity_type,
        {{ entity_id }} as entity_id,
        {{ tenant }} as entity_tenant,
        {{ provider }} as entity_provider,
        reporting_date,
        provider,
        llm,
        request_type,
        {{ sum_count('requests - unpriced_requests') }} as requests,
        coalesce({{ sum_count('priced_token_count') }}, 0) as tokens,
        {{ sum_usd('cost_usd') }} as cost_usd
    from in_trees
    where {{ condition }}
    group by all
    having {{ sum_usd('cost_usd') }} is not null

),

{% endfor %}
cells as (

    {% for entity_type in entities %}
    select * from {{ entity_type }}_cells
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from cells
