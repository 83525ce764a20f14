with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

-- What belongs to no assignment keeps NULL here, so the rows still sum to the ledger.
labelled as (

    select
        *,
        case when trackable_root_type = 'Assignment' then trackable_root_id end as assignment_id
    from daily

),

aggregated as (

    select
        assignment_id,
        tenant,
        user_id,
        {{ sum_measures() }}
    from labelled
    group by all

)

select * from aggregated
