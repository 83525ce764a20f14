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

named as (

    select * from {{ ref('stg_assignments') }}

),

in_ledger as (

    select
        assignment_id,
        tenant,
        min(reporting_date) as first_reporting_date,
        max(reporting_date) as last_reporting_date
    from in_trees
    where assignment_id is not null
    group by all

),

{{ named_entities('assignment') }}

select * from all_named
