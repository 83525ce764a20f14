with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

dates as (

    select * from {{ ref('dim_date') }}

),

-- Corrections alone are no activity, and a wrong clock's day has no days before and after it.
active_days as (

    select distinct
        user_id,
        tenant,
        reporting_date
    from daily
    where requests > 0 and {{ has_come('reporting_date') }}

),

neighbours as (

    select
        reporting_date,
        lag(reporting_date) over (partition by user_id, tenant order by reporting_date) as last_active_date,
        lead(reporting_date) over (partition by user_id, tenant order by reporting_date) as next_active_date
    from active_days

),

-- A user enters a window of so many days with an active day, unless still in it, and leaves it so many days after the
-- last. Adding up who enters and leaves counts each user once, without looking at any day twice.
moves as (

    {% for days in [7, 30] %}
    select
        {{ days }} as window_days,
        reporting_date,
        1 as entering
    from neighbours
    where last_active_date is null or {{ days_between('last_active_date', 'reporting_date') }} >= {{ days }}
    union all
    select
        {{ days }} as window_days,
        {{ date_after('reporting_date', days, 'day') }} as reporting_date,
        -1 as entering
    from neighbours
    where next_active_date is null or {{ days_between('reporting_date', 'next_active_date') }} >= {{ days }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

moves_per_day as (

    select
        reporting_date,
        sum(case when window_days = 7 then entering else 0 end) as entering_7_days,
        sum(case when window_days = 30 then entering else 0 end) as entering_30_days
    from moves
    group by reporting_date

),

active_per_day as (

    select
        reporting_date,
        {{ sum_count('1') }} as active_users,
        {{ sum_count('case when last_active_date is null then 1 else 0 end') }} as new_users
    from neighbours
    group by reporting_date

),

span as (

    select
        min(reporting_date) as first_date,
        max(reporting_date) as last_date
    from active_per_day

),

counted as (

    select
        dates.reporting_date,
        coalesce(active_per_day.active_users, 0) as active_users,
        coalesce(active_per_day.new_users, 0) as new_users,
        coalesce(active_per_day.active_users - active_per_day.new_users, 0) as returning_users,
        cast(sum(moves_per_day.entering_7_days) over (order by dates.reporting_date) as bigint)
            as active_users_7_days,
        cast(sum(moves_per_day.entering_30_days) over (order by dates.reporting_date) as bigint)
            as active_users_30_days
    from dates
    inner join span on dates.reporting_date between span.first_date and span.last_date
    left join active_per_day on dates.reporting_date = active_per_day.reporting_date
    left join moves_per_day on dates.reporting_date = moves_per_day.reporting_date

)

select * from counted
