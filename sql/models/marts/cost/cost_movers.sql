with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

cells as (

    {% for period in ['week', 'month'] %}
    select
        '{{ period }}' as period,
        {{ start_of(period, 'reporting_date') }} as period_start,
        {{ date_after(start_of(period, 'reporting_date'), 1, period) }} as next_period_start,
        provider,
        llm,
        request_type,
        {{ sum_count('requests') }} as requests,
        {{ sum_count('token_count') }} as token_count,
        {{ sum_count('priced_token_count') }} as priced_token_count,
        {{ sum_usd('cost_usd') }} as cost_usd
    from daily
    group by all
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
    from cells
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
    from cells

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
spans as (

    select
        period,
        min(period_start) as first_start,
        max(period_start) as last_start
    from cells
    group by period

),

with_totals as (

    select
        compared.*,
        sum(compared.tokens) over (partition by compared.period, compared.period_start) as all_tokens,
        sum(compared.previous_tokens) over (partition by compared.period, compared.period_start) as all_previous_tokens
    from compared
    inner join spans on compared.period = spans.period
    where compared.period_start > spans.first_start and compared.period_start <= spans.last_start

),

with_volume_and_price as (

    select
        *,
        cost_usd - previous_cost_usd as change_usd,
        {{ volume_effect('cost_usd', 'previous_cost_usd', 'all_tokens', 'all_previous_tokens') }} as volume_usd,
        {{ price_effect('cost_usd', 'previous_cost_usd', 'tokens', 'previous_tokens') }} as price_usd
    from with_totals

),

decomposed as (

    select
        period,
        period_start,
        provider,
        llm,
        request_type,
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
