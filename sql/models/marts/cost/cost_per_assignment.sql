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

assignments as (

    select * from {{ ref('dim_assignment') }}

),

-- What belongs to no assignment keeps NULL here and ends up in one remainder row, so the rows still sum to the ledger.
named as (

    select
        in_trees.*,
        assignments.assignment_name
    from in_trees
    left join assignments
        on
            in_trees.assignment_id = assignments.assignment_id
            and in_trees.assignment_tenant is not distinct from assignments.tenant

),

aggregated as (

    select
        assignment_id,
        assignment_tenant as tenant,
        assignment_name,
        min(reporting_date) as first_reporting_date,
        max(reporting_date) as last_reporting_date,
        {{ sum_measures() }}
    from named
    group by all

)

select * from aggregated
