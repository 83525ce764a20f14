with

days as (

    select * from {{ ref('int_budget_days') }}

),

margins as (

    select * from {{ ref('int_forecast_margins') }}

),

closed_days as (

    select * from days
    where is_counted and period_end <= last_whole_date

),

periods as (

    select
        entry_number,
        budget_name,
        period_start,
        period_end,
        {{ sum_usd('spent_usd') }} as actual_usd
    from closed_days
    group by all

),

-- The evening before the period and every one within it, once two weeks are known.
cutoffs as (

    select
        periods.*,
        days.reporting_date as cutoff_date,
        days.spent_usd as last_value_usd,
        days.mean_usd
    from periods
    inner join days
        on
            periods.entry_number = days.entry_number
            and {{ date_after('periods.period_start', -1, 'day') }} <= days.reporting_date
            and periods.period_end > days.reporting_date
    where days.known_days >= 14

),

-- What was still to come, and what the weekdays known by then said of it.
remaining as (

    select
        cutoffs.entry_number,
        cutoffs.budget_name,
        cutoffs.period_start,
        cutoffs.period_end,
        cutoffs.cutoff_date,
        cutoffs.actual_usd,
        cutoffs.last_value_usd,
        cutoffs.mean_usd,
        count(*) as days_ahead,
        {{ sum_usd('closed_days.spent_usd') }} as remaining_usd,
        -- Rounded: the order in which engines add up DOUBLE must not show.
        round(sum(coalesce(known.weekday_mean_usd, cutoffs.mean_usd)), 9) as expected_usd
    from cutoffs
    inner join closed_days
        on
            cutoffs.entry_number = closed_days.entry_number
            and cutoffs.period_start = closed_days.period_start
            and cutoffs.cutoff_date < closed_days.reporting_date
    inner join days as known
        on
            cutoffs.entry_number = known.entry_number
            and {{ forecast_from('closed_days.reporting_date', 'cutoffs.cutoff_date') }} = known.reporting_date
    group by all

),

by_method as (

    {% for method, forecast in {
        'weekday_mean': 'expected_usd',
        'mean': 'mean_usd * days_ahead',
        'last_value': 'cast(last_value_usd as double) * days_ahead',
    }.items() %}
    select
        *,
        '{{ method }}' as forecast_method,
        actual_usd - remaining_usd as spent_usd,
        cast(actual_usd - remaining_usd as double) + {{ forecast }} as forecast_usd
    from remaining
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

with_interval as (

    select
        by_method.*,
        margins.margin_usd
    from by_method
    left join margins
        on
            by_method.entry_number = margins.entry_number
            and by_method.cutoff_date = margins.cutoff_date
            and by_method.days_ahead = margins.days_ahead
            and by_method.forecast_method = 'weekday_mean'

),

with_bounds as (

    select
        *,
        {{ forecast_low('forecast_usd', 'margin_usd', 'spent_usd') }} as low_usd,
        forecast_usd + margin_usd as high_usd
    from with_interval

),

compared as (

    select
        budget_name,
        period_start,
        period_end,
        cutoff_date,
        forecast_method,
        cast(days_ahead as integer) as days_ahead,
        cast(spent_usd as decimal(38, 12)) as spent_usd,
        cast(actual_usd as decimal(38, 12)) as actual_usd,
        forecast_usd,
        low_usd,
        high_usd,
        forecast_usd - cast(actual_usd as double) as error_usd,
        cast(actual_usd as double) between low_usd and high_usd as is_within
    from with_bounds

)

select * from compared
