with

days as (

    select * from {{ ref('int_budget_days') }}
    where is_counted

),

budgets as (

    select * from {{ ref('stg_budgets') }}

),

levels as (

    select * from {{ ref('stg_budget_levels') }}

),

forecasts as (

    select * from {{ ref('budget_forecast') }}

),

backtest as (

    select * from {{ ref('forecast_backtest') }}
    where forecast_method = 'weekday_mean'

),

periods as (

    select
        entry_number,
        period_start,
        period_end,
        status_date,
        last_whole_date,
        max(reporting_date) as last_date,
        count(*) filter (where reporting_date <= last_whole_date) as days_elapsed,
        {{ sum_usd('case when reporting_date <= last_whole_date then spent_usd end') }} as spent_on_whole_days_usd,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('unpriced_requests') }} as unpriced_requests,
        {{ sum_usd('spent_usd') }} as spent_usd
    from days
    group by all

),

running as (

    select
        entry_number,
        period_start,
        reporting_date,
        sum(spent_usd) over (
            partition by entry_number, period_start order by reporting_date asc
        ) as spent_by_then_usd
    from days

),

crossings as (

    select
        running.entry_number,
        running.period_start,
        min(running.reporting_date) as crossed_on
    from running
    inner join budgets on running.entry_number = budgets.entry_number
    where running.spent_by_then_usd > budgets.limit_usd
    group by all

),

reached as (

    select
        periods.entry_number,
        periods.period_start,
        max(levels.warn_percent) as warn_percent
    from periods
    inner join budgets on periods.entry_number = budgets.entry_number
    inner join levels on periods.entry_number = levels.entry_number
    where periods.spent_usd > 0 and periods.spent_usd * 100 >= budgets.limit_usd * levels.warn_percent
    group by all

),

expected_crossings as (

    select
        budget_name,
        min(forecast_date) as crosses_on
    from forecasts
    where is_over
    group by budget_name

),

errors as (

    select
        budget_name,
        round(sum(abs(error_usd)) / nullif(sum(cast(actual_usd as double)), 0), 9) as forecast_error,
        round(avg(cast(case when is_within then 1 when not is_within then 0 end as double)), 9) as forecast_coverage
    from backtest
    group by budget_name

),

joined as (

    select
        budgets.budget_name,
        budgets.scope,
        budgets.scope_key,
        budgets.scope_value,
        budgets.tenant,
        budgets.period,
        periods.period_start,
        periods.period_end,
        periods.status_date,
        periods.last_whole_date,
        periods.period_end >= periods.status_date as is_current,
        periods.days_elapsed,
        {{ days_between('least(periods.last_date, periods.last_whole_date)', 'periods.period_end') }} as days_left,
        periods.spent_on_whole_days_usd,
        periods.requests,
        periods.unpriced_requests,
        budgets.limit_usd,
        periods.spent_usd,
        budgets.limit_usd - periods.spent_usd as left_usd,
        {{ share('periods.spent_usd', 'budgets.limit_usd') }} as share_spent,
        reached.warn_percent,
        crossings.crossed_on,
        forecasts.cumulative_usd,
        forecasts.low_usd,
        forecasts.high_usd,
        expected_crossings.crosses_on,
        errors.forecast_error,
        errors.forecast_coverage
    from periods
    inner join budgets on periods.entry_number = budgets.entry_number
    left join crossings
        on periods.entry_number = crossings.entry_number and periods.period_start = crossings.period_start
    left join reached
        on periods.entry_number = reached.entry_number and periods.period_start = reached.period_start
    left join forecasts
        on
            budgets.budget_name = forecasts.budget_name
            and periods.period_start = forecasts.period_start
            and periods.period_end = forecasts.forecast_date
    left join expected_crossings
        on budgets.budget_name = expected_crossings.budget_name and periods.period_end >= periods.status_date
    left join errors on budgets.budget_name = errors.budget_name

),

judged as (

    select
        budget_name,
        scope,
        scope_key,
        scope_value,
        tenant,
        period,
        period_start,
        period_end,
        status_date,
        last_whole_date,
        is_current,
        cast(days_elapsed as integer) as days_elapsed,
        cast(days_left as integer) as days_left,
        requests,
        unpriced_requests,
        limit_usd,
        spent_usd,
        cast(left_usd as decimal(38, 12)) as left_usd,
        share_spent,
        cast(spent_on_whole_days_usd as double) / nullif(days_elapsed, 0) as burn_usd_per_day,
        case when spent_usd > limit_usd then 'over' when warn_percent is not null then 'warn' else 'ok' end as status,
        warn_percent,
        crossed_on,
        -- A period that has no day left is known.
        case when days_left = 0 and is_current then cast(spent_usd as double) else cumulative_usd end as forecast_usd,
        case when days_left = 0 and is_current then cast(spent_usd as double) else low_usd end as forecast_low_usd,
        case when days_left = 0 and is_current then cast(spent_usd as double) else high_usd end as forecast_high_usd,
        case when crossed_on is null then crosses_on end as forecast_crossing_on,
        forecast_error,
        forecast_coverage
    from joined

)

select * from judged
