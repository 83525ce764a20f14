with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

named as (

    select * from {{ ref('stg_assignments') }}

),

in_ledger as (

    select
        trackable_root_id as assignment_id,
        tenant,
        min(reporting_date) as first_reporting_date,
        max(reporting_date) as last_reporting_date
    from daily
    where trackable_root_type = 'Assignment'
    group by all

),

{{ named_entities('assignment') }}

select * from all_named
