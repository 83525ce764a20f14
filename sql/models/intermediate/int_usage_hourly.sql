-- See int_cost_daily for on_schema_change.
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
        coalesce(usage_rows.corrects_record_id, usage_rows.record_id) as call_id,
        {{ local_date('usage_rows.occurred_at', var('reporting_timezone')) }} as reporting_date,
        {{ local_hour('usage_rows.occurred_at', var('reporting_timezone')) }} as reporting_hour,
        case
            when usage_rows.requests = 1
                then {{ milliseconds_between('usage_rows.occurred_at', 'usage_rows.recorded_at') }}
        end as lag_ms
    from usage_rows
    inner join segments on usage_rows.usage_date = segments.usage_date
    where {{ in_changed_days('usage_rows.usage_date') }}

),

-- A call is as its last correction says, its own row included.
last_corrections as (

    select
        call_id,
        pricing_status
    from changed_rows
    where charge_class = 'correction'
    qualify row_number() over (partition by call_id order by recorded_at desc, record_id desc) = 1

),

standing_rows as (

    select
        changed_rows.*,
        coalesce(last_corrections.pricing_status, changed_rows.pricing_status) as standing_pricing_status
    from changed_rows
    left join last_corrections on changed_rows.call_id = last_corrections.call_id

),

aggregated as (

    select
        usage_date,
        reporting_date,
        reporting_hour,
        provider,
        llm,
        request_type,
        standing_pricing_status as pricing_status,
        day_fingerprint,
        min(occurred_at) as first_occurred_at,
        max(occurred_at) as last_occurred_at,
        max(recorded_at) as last_recorded_at,
        {{ sum_count('case when lag_ms < 0 then 1 else 0 end') }} as early_requests,
        {{ sum_count('case when lag_ms > 3600000 then 1 else 0 end') }} as hour_late_requests,
        {{ sum_count('case when lag_ms > 86400000 then 1 else 0 end') }} as day_late_requests,
        min(lag_ms) as least_lag_ms,
        max(lag_ms) as greatest_lag_ms,
        {{ sum_measures() }}
    from standing_rows
    group by all

)

select * from aggregated
