-- Thresholds, measured on planted anomalies and on clean ledgers (docs/budgets.md): so many spreads from the median,
-- and so much of what the ledger costs on a median day. What is not compared with the same weekday needs more, and says
-- nothing of a low day: it may be a Sunday.
{% set least_score = 4.5 %}
{% set least_score_of_any_day = 6 %}
{% set least_share = 0.001 %}

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
    group by reporting_date

),

materiality as (

    select {{ median_of('cost_usd') }} * {{ least_share }} as least_usd
    from ledger_days

),

flagged as (

    select
        entity_days.*,
        entity_days.miss / entity_days.spread as score,
        cast(entity_days.cost_usd as double) / exp(entity_days.miss) as expected_usd
    from entity_days
    cross join materiality
    where
        case
            when entity_days.basis = 'same_weekday'
                then abs(entity_days.miss) >= {{ least_score }} * entity_days.spread
            else entity_days.miss >= {{ least_score_of_any_day }} * entity_days.spread
        end
        and abs(cast(entity_days.cost_usd as double) - cast(entity_days.cost_usd as double) / exp(entity_days.miss))
        >= materiality.least_usd

),

-- The earlier day of the entity that is most like what was expected.
compared as (

    select
        flagged.*,
        earlier.reporting_date as compared_with,
        row_number() over (
            partition by
                flagged.entity_type,
                flagged.entity_id,
                flagged.entity_tenant,
                flagged.entity_provider,
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
        anomalies.entity_type,
        anomalies.entity_id,
        anomalies.entity_tenant,
        anomalies.entity_provider,
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
        entity_type,
        entity_id,
        entity_tenant,
        entity_provider,
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
    window of_the_day as (partition by entity_type, entity_id, entity_tenant, entity_provider, reporting_date)

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
        entity_type,
        entity_id,
        entity_tenant,
        entity_provider,
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
