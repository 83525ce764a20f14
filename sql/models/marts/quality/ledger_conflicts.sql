{{ config(materialized='view') }}

with

conflicts as (

    select * from {{ ref('stg_conflicts') }}

),

usage_rows as (

    select * from {{ ref('stg_usage') }}

),

reused_keys as (

    select distinct event_key
    from conflicts

),

selected as (

    select
        usage_rows.event_key,
        usage_rows.record_id,
        conflicts.record_id is not null as is_conflicting,
        usage_rows.tenant,
        usage_rows.user_id,
        usage_rows.trackable_type,
        usage_rows.trackable_id,
        usage_rows.request_type,
        usage_rows.provider,
        usage_rows.llm,
        usage_rows.provider_response_id,
        usage_rows.token_count,
        usage_rows.cost_usd,
        usage_rows.occurred_at,
        usage_rows.recorded_at
    from usage_rows
    inner join reused_keys on usage_rows.event_key = reused_keys.event_key
    left join conflicts on usage_rows.record_id = conflicts.record_id

)

select * from selected
