with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

users as (

    select * from {{ ref('dim_user') }}

),

named as (

    select
        daily.*,
        users.user_name
    from daily
    left join users
        on
            daily.user_id = users.user_id
            and daily.tenant is not distinct from users.tenant

),

aggregated as (

    select
        user_id,
        tenant,
        user_name,
        min(reporting_date) as first_reporting_date,
        max(reporting_date) as last_reporting_date,
        {{ sum_measures() }}
    from named
    group by all

)

select * from aggregated
