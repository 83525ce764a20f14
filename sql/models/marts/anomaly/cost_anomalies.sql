-- Thresholds, measured on planted anomalies and on clean ledgers (docs/budgets.md): so many spreads from the median,
-- and so much of what the ledger costs on a median day. No spread is taken to be below the least one (of natural
-- logarithms: 0.2 is a fifth). What is not compared with the same weekday needs more, and says nothing of a low day: it
-- may be a Sunday.
{% set least_score = 4.5 %}
{% set least_score_of_any_day = 6 %}
{% set least_share = 0.001 %}
{% set least_spread = 0.2 %}

{% set entities = {
    'user': ['user_id', 'tenant', 'cast(null as string)', 'true'],
    'assignment': [
        'trackable_root_id', 'tenant', 'cast(null as string)', "trackable_root_type = 'Assignment'"
    ],
    'model': ['llm', 'cast(null as string)', 'provider', 'llm is not null'],
} %}

with

daily as (

    select * from {{ ref('int_cost_daily') }}

),

{% for entity_type, (entity_id, tenant, provider, condition) in entities.items() %}
{{ entity_type }}_cells as (

    select
        '{{ entity_type }}' as entity_type,
        {{ entity_id }} as entity_id,
        {{ tenant }} as entity_tenant,
        {{ provider }} as entity_provider,
        reporting_date,
        provider,
        llm,
        request_type,
        {{ sum_count('requests') }} as requests,
        coalesce({{ sum_count('case when cost_usd is not null then token_count end') }}, 0) as tokens,
        {{ sum_usd('cost_usd') }} as cost_usd
    from daily
    where {{ condition }} and cost_usd is not null
    group by all

),

{% endfor %}
cells as (

    {% for entity_type in entities %}
    select * from {{ entity_type }}_cells
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- Days without cost are no days of an entity: a class that is not graded every day has no anomaly when it is.
entity_days as (

    select
        entity_type,
        entity_id,
        entity_tenant,
        entity_provider,
        reporting_date,
        {{ iso_weekday('reporting_date') }} as iso_weekday,
        {{ sum_count('requests') }} as requests,
        {{ sum_usd('cost_usd') }} as cost_usd
    from cells
    group by all
    having {{ sum_usd('cost_usd') }} > 0

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

-- Costs differ by factors, not by dollars, so they are compared as logarithms.
logged as (

    select
        *,
        ln(cast(cost_usd as double)) as log_cost
    from entity_days

),

with_medians as (

    select
        *,
        case
            when count(*) over same_weekdays >= 4 then {{ median_of('log_cost') }} over same_weekdays
        end as weekday_median,
        case when count(*) over own_days >= 8 then {{ median_of('log_cost') }} over own_days end as own_median
    from logged
    window
        same_weekdays as (
            partition by entity_type, entity_id, entity_tenant, entity_provider, iso_weekday
            order by reporting_date asc rows between 8 preceding and 1 preceding
        ),
        own_days as (
            partition by entity_type, entity_id, entity_tenant, entity_provider
            order by reporting_date asc rows between 28 preceding and 1 preceding
        )

),

with_misses as (

    select
        *,
        log_cost - coalesce(weekday_median, own_median) as miss
    from with_medians

),

with_own_spread as (

    select
        *,
        -- 1.4826: what makes the median absolute deviation of a normal distribution its standard deviation.
        case when count(miss) over own_days >= 8 then 1.4826 * {{ median_of('abs(miss)') }} over own_days end
            as own_spread
    from with_misses
    window own_days as (
        partition by entity_type, entity_id, entity_tenant, entity_provider
        order by reporting_date asc rows between 28 preceding and 1 preceding
    )

),

-- What the others of its kind cost on a day: for an entity that is too new to be compared with itself.
peer_medians as (

    select
        entity_type,
        reporting_date,
        {{ median_of('log_cost') }} as day_median
    from logged
    group by all

),

peer_days as (

    select
        logged.entity_type,
        logged.reporting_date,
        count(*) as entity_count,
        min(peer_medians.day_median) as day_median,
        {{ median_of('abs(logged.log_cost - peer_medians.day_median)') }} as day_deviation
    from logged
    inner join peer_medians
        on logged.entity_type = peer_medians.entity_type and logged.reporting_date = peer_medians.reporting_date
    group by all

),

peers as (

    select
        entity_type,
        reporting_date,
        {{ median_of('day_median') }} over last_days as peer_median,
        1.4826 * {{ median_of('day_deviation') }} over last_days as peer_spread,
        sum(entity_count) over last_days as peer_count
    from peer_days
    window last_days as (
        partition by entity_type order by reporting_date asc rows between 28 preceding and 1 preceding
    )

),

judged as (

    select
        own.entity_type,
        own.entity_id,
        own.entity_tenant,
        own.entity_provider,
        own.reporting_date,
        own.requests,
        own.cost_usd,
        case
            when own.own_spread is null then 'peers'
            when own.weekday_median is not null then 'same_weekday'
            else 'own_days'
        end as basis,
        case when own.own_spread is null then own.log_cost - peers.peer_median else own.miss end as miss,
        greatest(coalesce(own.own_spread, peers.peer_spread), {{ least_spread }}) as spread
    from with_own_spread as own
    left join peers on own.entity_type = peers.entity_type and own.reporting_date = peers.reporting_date
    where own.own_spread is not null or peers.peer_count >= 50

),

flagged as (

    select
        judged.*,
        judged.miss / judged.spread as score,
        cast(judged.cost_usd as double) / exp(judged.miss) as expected_usd
    from judged
    cross join materiality
    where
        case
            when judged.basis = 'same_weekday' then abs(judged.miss) >= {{ least_score }} * judged.spread
            else judged.miss >= {{ least_score_of_any_day }} * judged.spread
        end
        and abs(cast(judged.cost_usd as double) - cast(judged.cost_usd as double) / exp(judged.miss))
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
            flagged.entity_type = earlier.entity_type
            and flagged.entity_id = earlier.entity_id
            and flagged.entity_tenant is not distinct from earlier.entity_tenant
            and flagged.entity_provider is not distinct from earlier.entity_provider
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
            anomalies.entity_type = cells.entity_type
            and anomalies.entity_id = cells.entity_id
            and anomalies.entity_tenant is not distinct from cells.entity_tenant
            and anomalies.entity_provider is not distinct from cells.entity_provider
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
            anomalies.entity_type = effects.entity_type
            and anomalies.entity_id = effects.entity_id
            and anomalies.entity_tenant is not distinct from effects.entity_tenant
            and anomalies.entity_provider is not distinct from effects.entity_provider
            and anomalies.reporting_date = effects.reporting_date

)

select * from explained
