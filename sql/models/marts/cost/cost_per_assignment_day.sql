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

-- What belongs to no assignment keeps NULL here, so the rows still sum to the ledger.
aggregated as (

    select
        assignment_id,
        tenant,
        reporting_date,
        {{ sum_measures() }}
    from in_trees
    group by all

)

select * from aggregated
