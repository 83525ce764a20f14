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

aggregated as (

    select
        trackable_root_type as trackable_type,
        trackable_root_id as trackable_id,
        tenant,
        min(reporting_date) as first_reporting_date,
        max(reporting_date) as last_reporting_date,
        {{ sum_measures() }}
    from in_trees
    group by all

)

select * from aggregated
