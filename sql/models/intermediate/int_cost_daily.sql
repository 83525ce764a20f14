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

{{ changed_rows() }},

aggregated as (

    {{ cost_cube('changed_rows') }}

)

select * from aggregated
