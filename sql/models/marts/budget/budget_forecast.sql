with

days as (

    select * from {{ ref('int_budget_days') }}

),

margins as (

    select * from {{ ref('int_forecast_margins') }}

),

budgets as (

    select * from {{ ref('stg_budgets') }}

),

spending as (

    select
        entry_number,
        period_start,
        {{ sum_usd('spent_usd') }} as spent_usd,
        coalesce({{ sum_usd('case when reporting_date <= last_whole_date then spent_usd end') }}, 0) as spent_before_usd
    from days
    where is_counted
    group by all

),

current_days as (

    select
        days.entry_number,
        days.budget_name,
        days.period_start,
        days.period_end,
        days.status_date,
        days.last_whole_date,
        last_days.mean_usd,
        spending.spent_usd,
        spending.spent_before_usd
    from days
    inner join spending
        on days.entry_number = spending.entry_number and days.period_start = spending.period_start
    inner join days as last_days
        on days.entry_number = last_days.entry_number and days.last_whole_date = last_days.reporting_date
    where days.is_counted and days.reporting_date = days.status_date and last_days.mean_usd is not null

),

numbered as (

    select
        *,
        {{ integers('1', days_between('last_whole_date', 'period_end'), 'days_ahead') }}
    from current_days

),

dated as (

    select
        *,
        {{ date_after('last_whole_date', 'days_ahead', 'day') }} as forecast_date
    from numbered

),

-- In its first week the ledger has no such weekday yet, but every day to come has a forecast. A day that is not over
-- costs what it has cost so far at least.
expected as (

    select
        dated.*,
        case
            when dated.forecast_date > dated.status_date then coalesce(days.weekday_mean_usd, dated.mean_usd)
            else greatest(
                coalesce(days.weekday_mean_usd, dated.mean_usd),
                cast(dated.spent_usd - dated.spent_before_usd as double)
            )
        end as expected_usd
    from dated
    left join days
        on
            dated.entry_number = days.entry_number
            and {{ forecast_from('dated.forecast_date', 'dated.last_whole_date') }} = days.reporting_date

),

added_up as (

    select
        expected.*,
        margins.margin_usd,
        cast(expected.spent_before_usd as double)
        + sum(expected.expected_usd) over (partition by expected.entry_number order by expected.forecast_date asc)
            as cumulative_usd
    from expected
    left join margins
        on
            expected.entry_number = margins.entry_number
            and expected.last_whole_date = margins.cutoff_date
            and expected.days_ahead = margins.days_ahead

),

forecasts as (

    select
        added_up.budget_name,
        added_up.period_start,
        added_up.forecast_date,
        added_up.status_date,
        added_up.last_whole_date,
        cast(added_up.days_ahead as integer) as days_ahead,
        added_up.expected_usd,
        added_up.cumulative_usd,
        {{ forecast_low('added_up.cumulative_usd', 'added_up.margin_usd', 'added_up.spent_usd') }} as low_usd,
        added_up.cumulative_usd + added_up.margin_usd as high_usd,
        added_up.cumulative_usd > cast(budgets.limit_usd as double) as is_over
    from added_up
    inner join budgets on added_up.entry_number = budgets.entry_number

)

select * from forecasts
