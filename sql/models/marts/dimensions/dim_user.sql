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

-- A name given for a tenant goes before one given for all of them.
known as (

    select
        in_ledger.user_id,
        in_ledger.tenant,
        coalesce(of_tenant.user_name, of_all.user_name) as user_name,
        in_ledger.first_reporting_date,
        in_ledger.last_reporting_date
    from in_ledger
    left join named as of_tenant
        on
            in_ledger.user_id = of_tenant.user_id
            and in_ledger.tenant = of_tenant.tenant
    left join named as of_all
        on
            in_ledger.user_id = of_all.user_id
            and of_all.tenant is null

),

without_calls as (

    select
        named.user_id,
        named.tenant,
        named.user_name,
        cast(null as date) as first_reporting_date,
        cast(null as date) as last_reporting_date
    from named
    left join in_ledger
        on
            named.user_id = in_ledger.user_id
            and (named.tenant = in_ledger.tenant or named.tenant is null)
    where in_ledger.user_id is null

),

all_users as (

    select * from known
    union all
    select * from without_calls

)

select * from all_users
