-- How much single calls cost, as histograms. See int_cost_daily for on_schema_change.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook='{{ delete_changed_days() }}',
    )
}}

with

usage_rows as (

    select * from {{ ref('stg_usage') }}

),

segments as (

    select * from {{ source('ledger', 'segments') }}

),

changed_rows as (

    select
        usage_rows.*,
        segments.fingerprint as day_fingerprint,
        {{ local_date('usage_rows.occurred_at', var('reporting_timezone')) }} as reporting_date
    from usage_rows
    inner join segments on usage_rows.usage_date = segments.usage_date
    where {{ in_changed_days('usage_rows.usage_date') }}

),

calls as (

    {{ changed_calls() }}

),

bucketed as (

    select
        usage_date,
        reporting_date,
        tenant,
        trackable_root_type,
        trackable_root_id,
        provider,
        llm,
        request_type,
        corrected_status as status,
        {{ log_bucket('corrected_cost_usd * 1000000000000') }} as bucket,
        day_fingerprint,
        {{ sum_count('1') }} as requests,
        {{ sum_count('case when is_retry then 1 else 0 end') }} as retry_requests,
        {{ sum_usd('corrected_cost_usd') }} as cost_usd
    from calls
    group by all

)

select * from bucketed
