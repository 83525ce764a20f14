with

discounts as (

    select * from {{ ref('stg_discounts') }}

),

corrections as (

    select * from {{ ref('stg_usage') }}
    where charge_class = 'correction' and {{ in_changed_days('usage_date') }}

),

-- All rows of calls that were corrected: what a correction changes of the list cost depends on what stood before it.
corrected_rows as (

    select
        usage_rows.record_id,
        coalesce(usage_rows.corrects_record_id, usage_rows.record_id) as call_id,
        usage_rows.charge_class,
        usage_rows.recorded_at,
        usage_rows.cost_usd,
        {{ consumed_unit() }} as consumed_unit,
        coalesce(discounts.discount_percent, 0) as discount_percent,
        coalesce(discounts.usd_per_request, 0) as usd_per_request
    from {{ ref('stg_usage') }} as usage_rows
    left join discounts on usage_rows.price_id = discounts.price_id
    where
        {{ in_changed_days('usage_rows.usage_date') }}
        and (
            usage_rows.charge_class = 'correction'
            or usage_rows.record_id in (select corrections.corrects_record_id from corrections)
        )

),

standing as (

    select
        record_id,
        call_id,
        max(consumed_unit) over (partition by call_id) as call_unit,
        row_number() over (
            partition by call_id
            order by case when charge_class = 'usage' then 0 else 1 end, recorded_at, record_id
        ) as revision,
        discount_percent,
        usd_per_request,
        cast(
            sum(cost_usd) over (
                partition by call_id
                order by case when charge_class = 'usage' then 0 else 1 end, recorded_at, record_id
                rows between unbounded preceding and current row
            ) as decimal(38, 12)
        ) as cost_usd
    from corrected_rows

),

standing_at_list as (

    select
        record_id,
        call_id,
        call_unit,
        revision,
        coalesce({{ list_cost('cost_usd', 'discount_percent', 'usd_per_request') }}, 0) as list_cost_usd
    from standing

),

revisions as (

    select
        record_id,
        call_unit,
        cast(
            list_cost_usd - coalesce(lag(list_cost_usd) over (partition by call_id order by revision), 0)
            as decimal(38, 12)
        ) as list_cost_usd
    from standing_at_list

),

{{ changed_rows() }},

dated as (

    select
        *,
        {{ start_of('month', 'usage_date') }} as usage_month,
        case
            when charge_class = 'correction' then {{ start_of('month', local_date('recorded_at', 'UTC')) }}
        end as recorded_month,
        {{ consumed_unit() }} as own_unit,
        {{ consumed_quantity() }} as own_quantity
    from changed_rows

),

-- A correction made after its month is billed with the month it was made in.
billed as (

    select
        dated.*,
        coalesce(dated.recorded_month > dated.usage_month, false) as is_late_correction,
        coalesce(greatest(dated.recorded_month, dated.usage_month), dated.usage_month) as billing_month,
        coalesce(dated.own_unit, revisions.call_unit, 'Requests') as consumed_unit,
        coalesce(
            dated.own_quantity,
            case when revisions.call_unit is null then cast(dated.requests as decimal(38, 12)) else 0 end
        ) as consumed_quantity,
        case
            when revisions.record_id is not null then revisions.list_cost_usd
            when discounts.price_id is null then dated.cost_usd
            else {{ list_cost('dated.cost_usd', 'discounts.discount_percent', 'discounts.usd_per_request') }}
        end as list_cost_usd
    from dated
    left join revisions on dated.record_id = revisions.record_id
    left join discounts on dated.price_id = discounts.price_id

),

aggregated as (

    select
        usage_date,
        reporting_date,
        billing_month,
        is_late_correction,
        tenant,
        request_type,
        provider,
        llm,
        model,
        service_tier,
        region,
        tags,
        consumed_unit,
        day_fingerprint,
        cast(sum(consumed_quantity) as decimal(38, 12)) as consumed_quantity,
        {{ sum_usd('list_cost_usd') }} as list_cost_usd,
        {{ sum_measures() }}
    from billed
    group by all

)

select * from aggregated
