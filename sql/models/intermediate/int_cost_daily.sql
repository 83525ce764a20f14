-- on_schema_change is 'fail': days built before a column was added would hold NULL there, and sums over it would be
-- wrong unsaid. A changed model is built with --full-refresh.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook='{{ delete_changed_days() }}',
        post_hook='{{ create_cost_daily_as_of() }}',
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

aggregated as (

    {{ cost_cube('changed_rows') }}

)

select * from aggregated
