-- on_schema_change: see int_cost_daily.
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
        {{ local_date('usage_rows.occurred_at', var('reporting_timezone')) }} as reporting_date,
        {{ start_of('month', 'usage_rows.usage_date') }} as usage_month,
        {{ start_of('month', local_date('usage_rows.recorded_at', 'UTC')) }} as recorded_month
    from usage_rows
    inner join segments on usage_rows.usage_date = segments.usage_date
    where {{ in_changed_days('usage_rows.usage_date') }}

),

-- A correction made after its month is billed with the month it was made in.
billed as (

    select
        *,
        charge_class = 'correction' and recorded_month > usage_month as is_late_correction,
        case
            when charge_class = 'correction' then greatest(recorded_month, usage_month)
            else usage_month
        end as billing_month
    from changed_rows

),

aggregated as (

    select
        usage_date,
        reporting_date,
        billing_month,
        is_late_correction,
        tenant,
        request_type,
        provider,
        llm,
        model,
        service_tier,
        region,
        tags,
        day_fingerprint,
        {{ sum_measures() }}
    from billed
    group by all

)

select * from aggregated
