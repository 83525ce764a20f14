with

{{ changed_rows() }},

dated as (

    select
        *,
        {{ start_of('month', 'usage_date') }} as usage_month,
        case
            when charge_class = 'correction' then {{ start_of('month', local_date('recorded_at', 'UTC')) }}
        end as recorded_month
    from changed_rows

),

-- A correction made after its month is billed with the month it was made in.
billed as (

    select
        *,
        coalesce(recorded_month > usage_month, false) as is_late_correction,
        coalesce(greatest(recorded_month, usage_month), usage_month) as billing_month
    from dated

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
        day_fingerprint,
        {{ sum_measures() }}
    from billed
    group by all

)

select * from aggregated
