-- Each day's costliest calls, few enough to keep. See int_cost_daily for on_schema_change.
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

costliest as (

    select
        usage_date,
        record_id,
        occurred_at,
        reporting_date,
        tenant,
        user_id,
        trackable_type,
        trackable_id,
        provider,
        llm,
        request_type,
        input_tokens,
        output_tokens,
        corrected_cost_usd as cost_usd,
        day_fingerprint
    from calls
    qualify
        row_number()
            over (
                partition by usage_date, provider, llm, request_type
                order by coalesce(corrected_cost_usd, 0) desc, record_id asc
            )
        <= 20

)

select * from costliest
