{{ config(post_hook='{{ create_cost_daily_as_of() }}') }}

with

{{ changed_rows() }},

aggregated as (

    {{ cost_cube('changed_rows') }}

)

select * from aggregated
