with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

named as (

    select * from {{ ref('stg_users') }}

),

in_ledger as (

    select
        user_id,
        tenant,
        min(reporting_date) as first_reporting_date,
        max(reporting_date) as last_reporting_date
    from daily
    group by all

),

{{ named_entities('user') }}

select * from all_named
