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

-- A name given for a tenant goes before one given for all of them.
known as (

    select
        in_ledger.assignment_id,
        in_ledger.tenant,
        coalesce(of_tenant.assignment_name, of_all.assignment_name) as assignment_name,
        in_ledger.first_reporting_date,
        in_ledger.last_reporting_date
    from in_ledger
    left join named as of_tenant
        on
            in_ledger.assignment_id = of_tenant.assignment_id
            and in_ledger.tenant = of_tenant.tenant
    left join named as of_all
        on
            in_ledger.assignment_id = of_all.assignment_id
            and of_all.tenant is null

),

without_calls as (

    select
        named.assignment_id,
        named.tenant,
        named.assignment_name,
        cast(null as date) as first_reporting_date,
        cast(null as date) as last_reporting_date
    from named
    left join in_ledger
        on
            named.assignment_id = in_ledger.assignment_id
            and (named.tenant = in_ledger.tenant or named.tenant is null)
    where in_ledger.assignment_id is null

),

all_assignments as (

    select * from known
    union all
    select * from without_calls

)

select * from all_assignments
