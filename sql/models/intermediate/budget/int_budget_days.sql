{{ config(materialized='table') }}

with

budgets as (

    select * from {{ ref('stg_budgets') }}

),

daily as (

    select * from {{ ref('int_cost_daily') }}

),

spending as (

    select * from {{ ref('int_budget_spending') }}

),

first_days as (

    select
        entry_number,
        min(reporting_date) as first_spent_on
    from spending
    group by entry_number

),

spans as (

    select
        min(reporting_date) as first_date,
        {{ status_date() }} as status_date
    from daily
    where {{ has_come('reporting_date') }}

),

numbered as (

    select
        budgets.entry_number,
        spans.first_date,
        {{ integers('0', days_between('spans.first_date', 'spans.status_date'), 'day_number') }}
    from budgets
    cross join spans
    where spans.status_date >= spans.first_date

),

dates as (

    select
        entry_number,
        {{ date_after('first_date', 'day_number', 'day') }} as reporting_date
    from numbered

),

-- Every day, with nothing spent too. What a forecast knows begins with the first day of which something is known.
dense as (

    select
        dates.entry_number,
        dates.reporting_date,
        {{ iso_weekday('dates.reporting_date') }} as iso_weekday,
        coalesce(spending.requests, 0) as requests,
        coalesce(spending.unpriced_requests, 0) as unpriced_requests,
        cast(coalesce(spending.spent_usd, 0) as decimal(38, 12)) as spent_usd,
        case
            when dates.reporting_date >= first_days.first_spent_on and {{ is_whole('dates.reporting_date') }}
                then cast(coalesce(spending.spent_usd, 0) as double)
        end as known_usd
    from dates
    left join spending
        on dates.entry_number = spending.entry_number and dates.reporting_date = spending.reporting_date
    left join first_days on dates.entry_number = first_days.entry_number

),

averaged as (

    select
        *,
        avg(known_usd) over same_weekdays as weekday_mean_usd,
        count(known_usd) over same_weekdays as weeks,
        count(known_usd) over (partition by entry_number order by reporting_date asc) as known_days,
        avg(known_usd) over (
            partition by entry_number order by reporting_date asc rows between 27 preceding and current row
        ) as mean_usd,
        known_usd - avg(known_usd) over (
            partition by entry_number, iso_weekday order by reporting_date asc rows between 4 preceding and 1 preceding
        ) as missed_by_usd
    from dense
    window same_weekdays as (
        partition by entry_number, iso_weekday order by reporting_date asc rows between 3 preceding and current row
    )

),

-- Below a week of misses nobody knows how far they go.
deviated as (

    select
        *,
        case
            when count(missed_by_usd) over last_eight_weeks >= 7 then stddev_samp(missed_by_usd) over last_eight_weeks
        end as deviation_usd,
        avg(missed_by_usd) over last_eight_weeks as drift_usd
    from averaged
    window last_eight_weeks as (
        partition by entry_number order by reporting_date asc rows between 55 preceding and current row
    )

),

in_periods as (

    select
        deviated.*,
        budgets.budget_name,
        budgets.valid_from,
        budgets.valid_to,
        case budgets.period
            when 'day' then deviated.reporting_date
            when 'week' then {{ start_of('week', 'deviated.reporting_date') }}
            when 'month' then {{ start_of('month', 'deviated.reporting_date') }}
            when 'quarter' then {{ start_of_fiscal('quarter', 'deviated.reporting_date') }}
            when 'year' then {{ start_of_fiscal('year', 'deviated.reporting_date') }}
            when 'term' then budgets.valid_from
        end as period_start,
        case budgets.period
            when 'day' then {{ date_after('deviated.reporting_date', 1, 'day') }}
            when 'week' then {{ date_after(start_of('week', 'deviated.reporting_date'), 1, 'week') }}
            when 'month' then {{ date_after(start_of('month', 'deviated.reporting_date'), 1, 'month') }}
            when 'quarter' then {{ date_after(start_of_fiscal('quarter', 'deviated.reporting_date'), 3, 'month') }}
            when 'year' then {{ date_after(start_of_fiscal('year', 'deviated.reporting_date'), 12, 'month') }}
            when 'term' then budgets.valid_to
        end as next_period_start
    from deviated
    inner join budgets on deviated.entry_number = budgets.entry_number

),

dated as (

    select
        *,
        max(reporting_date) over () as status_date
    from in_periods

),

selected as (

    select
        entry_number,
        budget_name,
        reporting_date,
        status_date,
        {{ last_whole_date('status_date') }} as last_whole_date,
        period_start,
        {{ date_after('next_period_start', -1, 'day') }} as period_end,
        -- Whether the entry is in force for the period, and the day is in it.
        reporting_date >= period_start
        and reporting_date < next_period_start
        and (valid_from is null or period_start >= valid_from)
        and (valid_to is null or period_start < valid_to) as is_counted,
        requests,
        unpriced_requests,
        spent_usd,
        weekday_mean_usd,
        mean_usd,
        deviation_usd,
        drift_usd,
        weeks,
        known_days
    from dated

)

select * from selected
