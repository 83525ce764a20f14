with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

-- Whole days alone, and of a period that is not over no more than as many days of the one before.
spans as (

    select
        min(reporting_date) as first_date,
        max(reporting_date) as last_reporting_date,
        {{ today() }} as today
    from daily

),

known as (

    select
        first_date,
        last_reporting_date,
        {{ last_whole_date('today') }} as last_date
    from spans

),

by_period as (

    {% for period in ['week', 'month'] %}
    select
        '{{ period }}' as period,
        {{ start_of(period, 'daily.reporting_date') }} as period_start,
        {{ date_after(start_of(period, 'daily.reporting_date'), 1, period) }} as next_period_start,
        {{ start_of(period, 'known.last_date') }} as current_start,
        {{ days_between(start_of(period, 'daily.reporting_date'), 'daily.reporting_date') }}
        <= {{ days_between(start_of(period, 'known.last_date'), 'known.last_date') }} as is_as_far,
        known.last_date = {{ date_after(date_after(start_of(period, 'known.last_date'), 1, period), -1, 'day') }}
            as is_current_over,
        daily.provider,
        daily.llm,
        daily.request_type,
        daily.requests,
        daily.token_count,
        daily.priced_token_count,
        daily.cost_usd
    from daily
    cross join known
    where daily.reporting_date <= known.last_date
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- Each cell twice: as what this period cost, and as what the next one is compared with.
stacked as (

    select
        period,
        period_start,
        provider,
        llm,
        request_type,
        requests,
        token_count,
        priced_token_count,
        cost_usd,
        cast(null as bigint) as previous_requests,
        cast(null as bigint) as previous_token_count,
        cast(null as bigint) as previous_priced_token_count,
        cast(null as decimal(38, 12)) as previous_cost_usd
    from by_period
    union all
    select
        period,
        next_period_start as period_start,
        provider,
        llm,
        request_type,
        cast(null as bigint) as requests,
        cast(null as bigint) as token_count,
        cast(null as bigint) as priced_token_count,
        cast(null as decimal(38, 12)) as cost_usd,
        requests as previous_requests,
        token_count as previous_token_count,
        priced_token_count as previous_priced_token_count,
        cost_usd as previous_cost_usd
    from by_period
    where next_period_start < current_start or is_current_over or is_as_far

),

compared as (

    select
        period,
        period_start,
        provider,
        llm,
        request_type,
        coalesce({{ sum_count('requests') }}, 0) as requests,
        coalesce({{ sum_count('previous_requests') }}, 0) as previous_requests,
        coalesce({{ sum_count('token_count') }}, 0) as token_count,
        coalesce({{ sum_count('previous_token_count') }}, 0) as previous_token_count,
        coalesce({{ sum_usd('cost_usd') }}, 0) as cost_usd,
        coalesce({{ sum_usd('previous_cost_usd') }}, 0) as previous_cost_usd,
        -- Tokens nobody has priced tell nothing of what a token costs.
        coalesce({{ sum_count('priced_token_count') }}, 0) as tokens,
        coalesce({{ sum_count('previous_priced_token_count') }}, 0) as previous_tokens
    from stacked
    group by all

),

-- The ledger's first period has nothing before it, and the one after its last has yet to come.
periods as (

    {% for period in ['week', 'month'] %}
    select
        '{{ period }}' as period,
        first_date,
        last_date,
        {{ start_of(period, 'first_date') }} as first_start,
        {{ start_of(period, 'least(last_reporting_date, last_date)') }} as last_start
    from known
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

with_totals as (

    select
        compared.*,
        periods.first_date,
        periods.last_date,
        case
            when compared.period = 'week' then {{ date_after('compared.period_start', -1, 'week') }}
            else {{ date_after('compared.period_start', -1, 'month') }}
        end as previous_start,
        case
            when compared.period = 'week' then {{ date_after('compared.period_start', 6, 'day') }}
            else {{ date_after(date_after('compared.period_start', 1, 'month'), -1, 'day') }}
        end as period_end,
        sum(compared.tokens) over (partition by compared.period, compared.period_start) as all_tokens,
        sum(compared.previous_tokens) over (partition by compared.period, compared.period_start) as all_previous_tokens
    from compared
    inner join periods on compared.period = periods.period
    where compared.period_start > periods.first_start and compared.period_start <= periods.last_start

),

with_days as (

    select
        *,
        case
            when period_end > last_date
                then
                    least(
                        {{ days_between('period_start', 'last_date') }} + 1,
                        {{ days_between('previous_start', 'period_start') }}
                    )
            else {{ days_between('previous_start', 'period_start') }}
        end as compared_days,
        {{ days_between('period_start', 'least(period_end, last_date)') }} + 1 as day_count,
        case when first_date > previous_start then {{ days_between('previous_start', 'first_date') }} else 0 end
            as unknown_days
    from with_totals

),

with_volume_and_price as (

    select
        *,
        cost_usd - previous_cost_usd as change_usd,
        {{ volume_effect('cost_usd', 'previous_cost_usd', 'all_tokens', 'all_previous_tokens') }} as volume_usd,
        {{ price_effect('cost_usd', 'previous_cost_usd', 'tokens', 'previous_tokens') }} as price_usd
    from with_days

),

decomposed as (

    select
        period,
        period_start,
        provider,
        llm,
        request_type,
        cast(day_count as integer) as day_count,
        cast(
            greatest(compared_days - unknown_days, 0) as integer
        ) as previous_day_count,
        requests,
        previous_requests,
        token_count,
        previous_token_count,
        cast(cost_usd as decimal(38, 12)) as cost_usd,
        cast(previous_cost_usd as decimal(38, 12)) as previous_cost_usd,
        cast(change_usd as decimal(38, 12)) as change_usd,
        cast(volume_usd as decimal(38, 12)) as volume_usd,
        cast(price_usd as decimal(38, 12)) as price_usd,
        cast(change_usd - volume_usd - price_usd as decimal(38, 12)) as mix_usd
    from with_volume_and_price

)

select * from decomposed
