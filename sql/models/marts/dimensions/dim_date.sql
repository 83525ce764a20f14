with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

spans as (

    select
        {{ start_of('year', 'min(reporting_date)') }} as first_date,
        {{ date_after(start_of('year', 'max(reporting_date)'), 1, 'year') }} as end_date
    from daily
    where {{ is_of_our_time('reporting_date') }}
    having count(*) > 0

),

numbered as (

    select
        first_date,
        {{ integers('0', days_between('first_date', 'end_date') ~ ' - 1', 'day_number') }}
    from spans

),

dates as (

    select {{ date_after('first_date', 'day_number', 'day') }} as reporting_date
    from numbered
    union all
    select distinct reporting_date
    from daily
    where not ({{ is_of_our_time('reporting_date') }})

),

described as (

    select
        reporting_date,
        cast(extract(year from reporting_date) as integer) as year_number,
        cast(extract(quarter from reporting_date) as integer) as quarter_number,
        cast(extract(month from reporting_date) as integer) as month_number,
        cast(extract(day from reporting_date) as integer) as day_of_month,
        {{ start_of('month', 'reporting_date') }} as reporting_month,
        {{ start_of_fiscal('quarter', 'reporting_date') }} as reporting_quarter,
        {{ start_of_fiscal('year', 'reporting_date') }} as reporting_fiscal_year,
        {{ start_of('week', 'reporting_date') }} as reporting_week,
        {{ iso_weekday('reporting_date') }} as iso_weekday
    from dates

),

named as (

    select
        *,
        {{ weekday_name('iso_weekday') }} as weekday_name,
        iso_weekday > 5 as is_weekend,
        {{ is_whole('reporting_date') }} as is_whole_day,
        {{ is_whole(date_after('reporting_week', 6, 'day')) }} as is_whole_week,
        {{ is_whole(date_after(date_after('reporting_month', 1, 'month'), -1, 'day')) }} as is_whole_month,
        {{ is_whole(date_after(date_after('reporting_quarter', 3, 'month'), -1, 'day')) }} as is_whole_quarter
    from described

)

select * from named
