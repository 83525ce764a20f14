{{ config(materialized='table') }}

with

-- In running sums, so that what any span cost, and what was forecast of it, are differences.
days as (

    select
        *,
        row_number() over by_date as day_number,
        sum(spent_usd) over by_date as all_spent_usd,
        sum(weekday_mean_usd) over by_date as all_means_usd
    from {{ ref('int_budget_days') }}
    window by_date as (partition by entry_number order by reporting_date asc)

),

periods as (

    select distinct
        entry_number,
        period_start,
        period_end
    from days
    where is_counted and period_end <= last_whole_date

),

-- The forecasts that are made: on each evening of a closed period what is left of it; now, each day to come.
asked as (

    select
        days.entry_number,
        days.reporting_date as cutoff_date,
        days.day_number,
        {{ days_between('days.reporting_date', 'periods.period_end') }} as days_ahead
    from days
    inner join periods
        on
            days.entry_number = periods.entry_number
            and days.reporting_date >= {{ date_after('periods.period_start', -1, 'day') }}
            and days.reporting_date < periods.period_end
    union all
    select
        last_days.entry_number,
        last_days.reporting_date as cutoff_date,
        last_days.day_number,
        {{ integers('1', days_between('last_days.reporting_date', 'current_days.period_end'), 'days_ahead') }}
    from days as last_days
    inner join days as current_days
        on
            last_days.entry_number = current_days.entry_number
            and last_days.status_date = current_days.reporting_date
    where last_days.reporting_date = last_days.last_whole_date and current_days.is_counted

),

-- What such a forecast would have missed as many days by, each time within half a year that was over by then.
misses as (

    select
        asked.entry_number,
        asked.cutoff_date,
        asked.days_ahead,
        abs(
            cast(ends.all_spent_usd - made.all_spent_usd as double)
            - floor(asked.days_ahead / 7.0) * (made.all_means_usd - a_week_before.all_means_usd)
            - (part_of_a_week.all_means_usd - a_week_before.all_means_usd)
        ) as missed_by_usd,
        {{ forecast_margin('made.deviation_usd', 'made.drift_usd', 'made.weeks', 'asked.days_ahead') }} as margin_usd
    from asked
    inner join days as ends
        on
            asked.entry_number = ends.entry_number
            and asked.day_number - 182 < ends.day_number
            and asked.day_number >= ends.day_number
    inner join days as made
        on ends.entry_number = made.entry_number and asked.days_ahead = ends.day_number - made.day_number
    inner join days as a_week_before
        on made.entry_number = a_week_before.entry_number and made.day_number - 7 = a_week_before.day_number
    inner join days as part_of_a_week
        on
            made.entry_number = part_of_a_week.entry_number
            and made.day_number - 7 + asked.days_ahead % 7 = part_of_a_week.day_number
    where made.known_days >= 14

),

ranked as (

    select
        entry_number,
        cutoff_date,
        days_ahead,
        missed_by_usd,
        missed_by_usd / margin_usd as missed_by_margins,
        row_number() over (partition by entry_number, cutoff_date, days_ahead order by missed_by_usd asc) as place,
        row_number() over (
            partition by entry_number, cutoff_date, days_ahead order by missed_by_usd / margin_usd asc
        ) as place_in_margins,
        count(*) over (partition by entry_number, cutoff_date, days_ahead) as misses
    from misses
    where margin_usd > 0

),

-- A higher quantile than 0.8 where few spans have been seen that do not overlap. Between two of them, in proportion.
placed as (

    select
        *,
        least(0.8 * (1 + 0.5 * days_ahead / misses), 0.97) * (misses - 1) + 1 as wanted_place
    from ranked

),

quantiles as (

    select
        entry_number,
        cutoff_date,
        days_ahead,
        sum(missed_by_usd * greatest(0, 1 - abs(place - wanted_place))) as missed_by_usd,
        sum(missed_by_margins * greatest(0, 1 - abs(place_in_margins - wanted_place))) as missed_by_margins
    from placed
    where misses >= 7
    group by all

),

modelled as (

    select
        asked.*,
        {{ forecast_margin('days.deviation_usd', 'days.drift_usd', 'days.weeks', 'asked.days_ahead') }} as margin_usd
    from asked
    inner join days on asked.entry_number = days.entry_number and asked.day_number = days.day_number

),

margins as (

    select
        modelled.entry_number,
        modelled.cutoff_date,
        cast(modelled.days_ahead as integer) as days_ahead,
        {{ seen_margin('modelled', 'quantiles') }} as margin_usd
    from modelled
    left join quantiles
        on
            modelled.entry_number = quantiles.entry_number
            and modelled.cutoff_date = quantiles.cutoff_date
            and modelled.days_ahead = quantiles.days_ahead

)

select * from margins
