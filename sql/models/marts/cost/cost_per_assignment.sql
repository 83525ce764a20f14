with

trackables as (

    select * from {{ ref('cost_per_trackable') }}

),

-- What belongs to no assignment keeps NULL here and ends up in one remainder row, so the rows still sum to the ledger.
labelled as (

    select
        *,
        case when trackable_type = 'Assignment' then trackable_id end as assignment_id,
        case when trackable_type = 'Assignment' then tenant end as assignment_tenant
    from trackables

),

aggregated as (

    select
        assignment_id,
        assignment_tenant as tenant,
        min(first_reporting_date) as first_reporting_date,
        max(last_reporting_date) as last_reporting_date,
        {{ sum_measures() }}
    from labelled
    group by all

)

select * from aggregated
