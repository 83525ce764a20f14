with

hourly as (

    select * from {{ ref('int_usage_hourly') }}

),

dates as (

    select * from {{ ref('dim_date') }}

),

span as (

    select
        min(reporting_date) as first_date,
        max(reporting_date) as last_date
    from hourly
    where {{ has_come('reporting_date') }}

),

-- From the first to the last, and those of wrong clocks by themselves.
covered as (

    select dates.reporting_date
    from dates
    inner join span on dates.reporting_date between span.first_date and span.last_date
    union distinct
    select reporting_date
    from hourly

),

-- Every hour of the week, those without a call too, and on how many dates the ledger covers it.
weekdays as (

    select
        dates.iso_weekday,
        dates.weekday_name,
        {{ sum_count('1') }} as dates_covered
    from dates
    inner join covered on dates.reporting_date = covered.reporting_date
    group by all

),

hours_of_week as (

    select
        *,
        {{ integers('0', '23', 'reporting_hour') }}
    from weekdays

),

aggregated as (

    select
        {{ iso_weekday('reporting_date') }} as iso_weekday,
        reporting_hour,
        {{ sum_measures() }}
    from hourly
    group by all

),

filled as (

    select
        hours_of_week.iso_weekday,
        hours_of_week.weekday_name,
        cast(hours_of_week.reporting_hour as integer) as reporting_hour,
        hours_of_week.dates_covered,
        coalesce(aggregated.requests, 0) as requests,
        coalesce(aggregated.failed_requests, 0) as failed_requests,
        coalesce(aggregated.unpriced_requests, 0) as unpriced_requests,
        aggregated.input_tokens,
        aggregated.cache_read_tokens,
        aggregated.cache_write_tokens,
        aggregated.cache_write_1h_tokens,
        aggregated.output_tokens,
        aggregated.reasoning_tokens,
        aggregated.token_count,
        aggregated.cost_usd,
        aggregated.micro_usd
    from hours_of_week
    left join aggregated
        on
            hours_of_week.iso_weekday = aggregated.iso_weekday
            and hours_of_week.reporting_hour = aggregated.reporting_hour

)

select * from filled
