with

trackables as (

    select * from {{ ref('cost_per_trackable') }}

),

assignments as (

    select * from {{ ref('dim_assignment') }}

),

-- What belongs to no assignment keeps NULL here and ends up in one remainder row, so the rows still sum to the ledger.
labelled as (

    select
        *,
        case when trackable_type = 'Assignment' then trackable_id end as assignment_id,
        case when trackable_type = 'Assignment' then tenant end as assignment_tenant
    from trackables

),

named as (

    select
        labelled.*,
        assignments.assignment_name
    from labelled
    left join assignments
        on
            labelled.assignment_id = assignments.assignment_id
            and labelled.assignment_tenant is not distinct from assignments.tenant

),

aggregated as (

    select
        assignment_id,
        assignment_tenant as tenant,
        assignment_name,
        min(first_reporting_date) as first_reporting_date,
        max(last_reporting_date) as last_reporting_date,
        {{ sum_measures() }}
    from named
    group by all

)

select * from aggregated
