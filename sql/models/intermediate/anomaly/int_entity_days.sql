{{ config(materialized='table') }}

-- No spread is taken to be below this one (of natural logarithms: 0.2 is a fifth), measured as the thresholds of
-- cost_anomalies are.
{% set least_spread = 0.2 %}

with

cells as (

    select * from {{ ref('int_entity_cells') }}

),

-- Days without cost are no days of an entity: a class that is not graded every day has no anomaly when it is.
aggregated as (

    select
        {{ entity_columns() }},
        reporting_date,
        {{ iso_weekday('reporting_date') }} as iso_weekday,
        {{ sum_count('requests') }} as requests,
        {{ sum_usd('cost_usd') }} as cost_usd
    from cells
    group by all
    having {{ sum_usd('cost_usd') }} > 0

),

-- Costs differ by factors, not by dollars, so they are compared as logarithms.
logged as (

    select
        *,
        ln(cast(cost_usd as double)) as log_cost
    from aggregated

),

with_medians as (

    select
        *,
        case
            when count(*) over same_weekdays >= 4 then {{ median_of('log_cost') }} over same_weekdays
        end as weekday_median,
        case when count(*) over own_days >= 8 then {{ median_of('log_cost') }} over own_days end as own_median,
        -- For who comes seldom: four days tell little of what is usual, and enough of what is twice their dearest.
        case when count(*) over own_days >= 4 then max(cost_usd) over own_days end as dearest_usd,
        case when count(*) over own_days >= 4 then log_cost - {{ median_of('log_cost') }} over own_days end as own_miss
    from logged
    window
        same_weekdays as (
            partition by {{ entity_columns() }}, iso_weekday
            order by reporting_date asc rows between 8 preceding and 1 preceding
        ),
        own_days as (
            partition by {{ entity_columns() }}
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
        partition by {{ entity_columns() }}
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

-- 50 days of others, or nobody knows what is usual.
with_basis as (

    select
        own.*,
        peers.peer_median,
        peers.peer_spread,
        case
            when own.own_spread is null and peers.peer_count >= 50 then 'peers'
            when own.own_spread is null then cast(null as string)
            when own.weekday_median is not null then 'same_weekday'
            else 'own_days'
        end as basis
    from with_own_spread as own
    left join peers on own.entity_type = peers.entity_type and own.reporting_date = peers.reporting_date

),

judged as (

    select
        {{ entity_columns() }},
        reporting_date,
        {{ is_whole('reporting_date') }} as is_whole_day,
        requests,
        cost_usd,
        basis,
        case when basis = 'peers' then log_cost - peer_median when basis is not null then miss end as miss,
        case when basis is not null then greatest(coalesce(own_spread, peer_spread), {{ least_spread }}) end as spread,
        dearest_usd,
        own_miss,
        case when own_miss is not null then greatest(coalesce(own_spread, 0), {{ least_spread }}) end as own_spread
    from with_basis

)

select * from judged
