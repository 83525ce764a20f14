-- Thresholds, measured on planted anomalies and on clean ledgers (docs/budgets.md): so many spreads from the median,
-- and so much of what the ledger costs on a median day. What is not compared with the same weekday needs more, and says
-- nothing of a low day: it may be a Sunday.
{% set least_score = 4.5 %}
{% set least_score_of_any_day = 6 %}
{% set least_share = 0.001 %}
-- So many times what the dearest of the last 28 own days cost is unusual for anyone who came on four of them.
{% set least_of_dearest = 2 %}

with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

cells as (

    select * from {{ ref('int_entity_cells') }}

),

entity_days as (

    select * from {{ ref('int_entity_days') }}

),

ledger_days as (

    select
        reporting_date,
        {{ sum_usd('cost_usd') }} as cost_usd
    from daily
    where {{ is_whole('reporting_date') }}
    group by reporting_date

),

materiality as (

    select {{ median_of('cost_usd') }} * {{ least_share }} as least_usd
    from ledger_days

),

-- By how many spreads a day is far from what is usual, or else by how much it is above all that were before.
measured as (

    select
        *,
        coalesce(
            case
                when basis = 'same_weekday' then abs(miss) >= {{ least_score }} * spread
                else miss >= {{ least_score_of_any_day }} * spread
            end,
            false
        ) as is_far_from_usual,
        coalesce(cost_usd >= {{ least_of_dearest }} * dearest_usd, false) as is_far_above_dearest
    from entity_days

),

unusual as (

    select
        {{ entity_columns() }},
        reporting_date,
        is_whole_day,
        requests,
        cost_usd,
        case when is_far_from_usual then basis else 'dearest_day' end as basis,
        case when is_far_from_usual then miss else own_miss end as miss,
        case when is_far_from_usual then spread else own_spread end as spread
    from measured
    where is_far_from_usual or is_far_above_dearest

),

flagged as (

    select
        unusual.*,
        unusual.miss / unusual.spread as score,
        cast(unusual.cost_usd as double) / exp(unusual.miss) as expected_usd
    from unusual
    cross join materiality
    where
        -- What is too much already stays too much; what is little so far is not yet little.
        (unusual.miss > 0 or unusual.is_whole_day)
        and abs(cast(unusual.cost_usd as double) - cast(unusual.cost_usd as double) / exp(unusual.miss))
        >= materiality.least_usd

),

-- The earlier day of the entity that is most like what was expected.
compared as (

    select
        flagged.*,
        earlier.reporting_date as compared_with,
        row_number() over (
            partition by
                {{ entity_columns('flagged') }},
                flagged.reporting_date
            order by
                abs(cast(earlier.cost_usd as double) - flagged.expected_usd) asc,
                earlier.reporting_date desc
        ) as likeness
    from flagged
    left join entity_days as earlier
        on
            {{ same_entity('flagged', 'earlier') }}
            and flagged.reporting_date > earlier.reporting_date

),

anomalies as (

    select * from compared
    where likeness = 1

),

paired_cells as (

    {% for is_then, date in {'false': 'reporting_date', 'true': 'compared_with'}.items() %}
    select
        {{ entity_columns('anomalies') }},
        anomalies.reporting_date,
        cells.provider,
        cells.llm,
        cells.request_type,
        case when {{ is_then }} then 0 else cells.tokens end as tokens,
        case when {{ is_then }} then 0 else cells.cost_usd end as cost_usd,
        case when {{ is_then }} then cells.tokens else 0 end as previous_tokens,
        case when {{ is_then }} then cells.cost_usd else 0 end as previous_cost_usd
    from anomalies
    inner join cells
        on
            {{ same_entity('anomalies', 'cells') }}
            and anomalies.{{ date }} = cells.reporting_date
    where anomalies.compared_with is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

cell_changes as (

    select
        {{ entity_columns() }},
        reporting_date,
        provider,
        llm,
        request_type,
        {{ sum_count('tokens') }} as tokens,
        {{ sum_count('previous_tokens') }} as previous_tokens,
        {{ sum_usd('cost_usd') }} as cost_usd,
        {{ sum_usd('previous_cost_usd') }} as previous_cost_usd
    from paired_cells
    group by all

),

with_totals as (

    select
        *,
        sum(tokens) over of_the_day as all_tokens,
        sum(previous_tokens) over of_the_day as all_previous_tokens
    from cell_changes
    window of_the_day as (partition by {{ entity_columns() }}, reporting_date)

),

with_effects as (

    select
        *,
        {{ volume_effect('cost_usd', 'previous_cost_usd', 'all_tokens', 'all_previous_tokens') }} as volume_usd,
        {{ price_effect('cost_usd', 'previous_cost_usd', 'tokens', 'previous_tokens') }} as price_usd
    from with_totals

),

effects as (

    select
        {{ entity_columns() }},
        reporting_date,
        {{ sum_usd('previous_cost_usd') }} as compared_cost_usd,
        {{ sum_usd('volume_usd') }} as volume_usd,
        {{ sum_usd('price_usd') }} as price_usd,
        {{ sum_usd('cost_usd - previous_cost_usd - volume_usd - price_usd') }} as mix_usd
    from with_effects
    group by all

),

explained as (

    select
        anomalies.reporting_date,
        anomalies.entity_type,
        anomalies.entity_id,
        anomalies.entity_tenant as tenant,
        anomalies.entity_provider as provider,
        anomalies.is_whole_day,
        anomalies.requests,
        anomalies.cost_usd,
        anomalies.expected_usd,
        anomalies.score,
        anomalies.basis,
        anomalies.compared_with,
        effects.compared_cost_usd,
        cast(anomalies.cost_usd - effects.compared_cost_usd as decimal(38, 12)) as change_usd,
        effects.volume_usd,
        effects.price_usd,
        effects.mix_usd,
        case
            when anomalies.compared_with is null then 'new'
            when
                greatest(effects.volume_usd * sign(anomalies.score), effects.price_usd * sign(anomalies.score))
                < effects.mix_usd * sign(anomalies.score) then 'mix'
            when effects.price_usd * sign(anomalies.score) > effects.volume_usd * sign(anomalies.score) then 'price'
            else 'volume'
        end as driver
    from anomalies
    left join effects
        on
            {{ same_entity('anomalies', 'effects') }}
            and anomalies.reporting_date = effects.reporting_date

)

select * from explained
