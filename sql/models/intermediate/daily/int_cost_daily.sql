{{ config(post_hook='{{ create_cost_daily_as_of() }}') }}

with

{{ rows_of_standing_calls() }},

aggregated as (

    {{ cost_cube('rows_of_calls') }}

)

select * from aggregated
